"""Begin a runbook: a folder with a runbook, a scenario and a line of test, which pass at once. What only you
know stands in them as a TODO; `breakglass lint` counts those.

examples:
  breakglass new cache-full                       writes runbooks/cache-full
  breakglass new cache-full --into ops/runbooks
"""

import re
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path

from breakglass.errors import UserError
from breakglass.exit_codes import ExitCode

NAME = re.compile(r"[a-z0-9][a-z0-9-]*")

RUNBOOK = """\
# Every key is described in docs/reference/runbook.md. `breakglass lint` says what is left to do here.
runbook: NAME
title: "TODO: what this runbook puts right, such as Restart the app that answers 500"
summary: "TODO: how to recognise the incident, in a sentence: what is seen, and what is the cause."
severity: sev2
alerts: []     # the names of the alerts that lead here
symptoms: []   # what is seen and said, for searching
uses: {clusters: [main], endpoints: [app]}

inputs:
  namespace: {default: web, help: Namespace of the app}

# Reads only, so that `breakglass triage` can say within seconds whether it is this incident.
triage:
  - use: app
    verdict:
      confirmed: {that: status == 500, means: The app answers 500.}
      ok: {that: status == 200, means: The app answers 200.}

steps:
  - id: app
    title: Ask the app
    why: "TODO: why this is the first question, and what else it could be."
    http: {get: app}
    tolerate: [server-error]       # a finding here, not a failure
    capture: {status: result.status}
    expect:
      - that: status in [200, 500]
        means: The app answers ${{ status }}.
        else: "The app answers ${{ status }}: this runbook does not know that."
    next:
      - {when: status == 200, goto: healthy}

  - id: pod
    title: Find the pod of the app
    kubectl: get pods -n ${{ inputs.namespace }} -l app=NAME -o json
    capture:
      pod: result.json.items[0].metadata.name
      uid: result.json.items[0].metadata.uid
    expect:
      - that: size(result.json.items) == 1
        means: There is exactly one pod.
        else: There is not exactly one pod. Look at them yourself.

  - id: restart
    title: Delete the pod
    why: "TODO: why this helps, and how long it took when it was done."
    kubectl: delete pod ${{ pod }} -n ${{ inputs.namespace }}
    pin: {uid: "${{ uid }}"}       # only the pod that was looked at
    needs: [app, pod]              # read again just before
    guards:
      - that: status == 500
        means: The app still answers 500.
        else: The app answers again. Leave it.
    impact: "TODO: what it breaks, for whom, and for how long."
    confirm: {type: "${{ pod }}"}
    verify:                        # exit status is not evidence
      http: {get: app}
      until: result.status == 200
      means: The app answers 200.
      every: 2s
      within: 60s
    unknown: "Look whether the pod with uid ${{ uid }} is still there."
    followup: "TODO: what must be built so that this does not happen again."
    next: solved

  - id: healthy
    title: Stop here, the app is healthy
    ends: not-this-incident

  - id: solved
    title: Tell whoever waits
    ends: recovered
"""

SCENARIO = """\
# A simulated incident on which the runbook is tried: breakglass rehearse NAME
# Every key is described in docs/reference/scenario.md.
scenario: recorded-incident
title: The app answers 500
summary: "TODO: what the person on call is told. It must not give the cause away."
runbook: NAME
recorded: true
speed: 5

# Variables of the world. Rules change them, and what answers looks at them.
world: {broken: true}

kubernetes:
  main:
    objects:
      - apiVersion: apps/v1
        kind: Deployment
        metadata: {name: NAME, namespace: web}
        spec:
          replicas: 1
          selector: {matchLabels: {app: NAME}}
          template:
            metadata: {labels: {app: NAME}}
            spec: {containers: [{name: app, image: "app:1.0"}]}

endpoints:
  app:
    url: https://app.example
    routes:
      - {path: /, when: world.broken, reply: 500}
      - {path: /, reply: 200}

rules:
  - {on: kubernetes.delete pods web/NAME-*, after: 5s, set: {broken: false}, say: The new pod answers.}

# Wrong moves, each taken on purpose by `breakglass test`.
traps:
  - name: scaled-to-zero
    title: Took the app away instead of restarting it
    on: kubernetes.scale deployments web/NAME
    say: "TODO: what happens to whoever does this, as it did in life."
    caught: review
    take:
      - {kubectl: scale deployment NAME -n web --replicas=0, at: restart}

recovered: "!world.broken"

expect:
  result: recovered
  reaches: [app, pod, restart, solved]
  never: [healthy]
"""

HEALTHY = """\
base: recorded-incident.yaml
scenario: healthy
title: Nothing is wrong with the app
summary: Somebody says that the app is down.
recorded: false
world: {broken: false}
traps: []
expect: {result: not-this-incident, reaches: [app, healthy], never: [restart]}
"""

TEST = """\
#!/bin/sh
# Every scenario, every trap, a dry run of each, and every command failing. Your CI runs the same line.
exec breakglass test "$(dirname "$0")" "$@"
"""

FILES = {
    "runbook.yaml": RUNBOOK,
    "scenarios/recorded-incident.yaml": SCENARIO,
    "scenarios/healthy.yaml": HEALTHY,
    "test.sh": TEST,
}


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "name", type=_name, metavar="NAME", help="the runbook's name: lower case, digits, dashes"
    )
    parser.add_argument(
        "--into",
        type=Path,
        default=Path("runbooks"),
        metavar="DIR",
        help="the folder of runbooks; ./runbooks",
    )


def _name(text: str) -> str:
    if not NAME.fullmatch(text):
        raise ArgumentTypeError(f"{text!r}: use lower case letters, digits and dashes, such as cache-full")
    return text


def run(arguments: Namespace) -> int:
    folder: Path = arguments.into / arguments.name
    if folder.exists():
        raise UserError(
            f"{folder} is there already; nothing was written. Choose another name, or another --into"
        )
    try:
        for name, text in FILES.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.replace("NAME", arguments.name), encoding="utf-8")
            print(path)
        (folder / "test.sh").chmod(0o755)
    except OSError as error:
        raise UserError(f"{folder}: cannot be written: {error.strerror}") from None
    print(
        f"\nNext: breakglass lint {folder}      what is left to do\n"
        f"      breakglass rehearse {folder}  walk it\n"
        f"      breakglass test {folder}      every scenario, every trap, every command failing"
    )
    return ExitCode.DONE
