"""Each word of a kubectl line means one thing: forms of flags, values at their limits, arguments too many."""

import shlex
from itertools import product

import pytest

from breakglass.policy.kubectl.changes import (
    Cordon,
    CreateJob,
    Delete,
    Drain,
    Exec,
    NodeTaint,
    Patch,
    Relabel,
    RolloutRestart,
    RolloutUndo,
    Scale,
    Taint,
)
from breakglass.policy.kubectl.flags import KubectlSyntaxError, go_duration
from breakglass.policy.kubectl.operations import (
    CanI,
    Events,
    Get,
    Logs,
    Operation,
    RolloutHistory,
    RolloutStatus,
    Selection,
    Target,
    Top,
    Wait,
)
from breakglass.policy.kubectl.parse import parse, understood


def read(line: str) -> Operation:
    return parse(shlex.split(line))


POD = Selection((Target("pod", "a"),))
WEB = Selection((Target("pod", "a", "web"),), (), "web")

SAME: list[tuple[str, Operation]] = [
    # where the namespace may stand
    *(
        (line, Get(WEB))
        for line in (
            "get pod a -n web",
            "get pod a -n=web",
            "get pod a -nweb",
            "get pod a --namespace web",
            "get pod a --namespace=web",
            "-n web get pod a",
            "-nweb get pod a",
            "-n=web get pod a",
            "--namespace web get pod a",
            "--namespace=web get pod a",
            "-n other get pod a -n web",
            "-n one -n web get pod a",
        )
    ),
    # what is true and false
    *((f"delete pod a --wait={word}", Delete(POD)) for word in ("true", "t", "1", "TRUE", "T")),
    *((f"delete pod a --wait={word}", Delete(POD, wait=False)) for word in ("false", "f", "0", "False")),
    ("delete pod a --wait", Delete(POD)),
    # outputs
    *((f"get pod a -o {form}", Get(POD, form)) for form in ("wide", "json", "yaml", "name")),  # type: ignore[arg-type]
    ("get pods --all-namespaces", Get(Selection((), ("pods",), None, True))),
    ("get pods,", Get(Selection((), ("pods",)))),
    ("get pod,svc a", Get(Selection((Target("pod", "a"), Target("svc", "a"))))),
    ("get pod a --no-headers=false --ignore-not-found=false", Get(POD)),
    # logs
    ("logs a", Logs(Selection((Target("pods", "a"),)))),
    ("logs a --tail=0", Logs(Selection((Target("pods", "a"),)), tail=0)),
    ("logs a --tail=-1", Logs(Selection((Target("pods", "a"),)))),
    ("logs -l a=b", Logs(Selection(labels="a=b"), tail=10)),
    ("logs -l a=b --tail 3", Logs(Selection(labels="a=b"), tail=3)),
    ("logs a c --previous", Logs(Selection((Target("pods", "a"),)), "c", previous=True)),
    ("logs a --all-containers=false -c c", Logs(Selection((Target("pods", "a"),)), "c")),
    # deletions
    ("delete pod a --grace-period=-1", Delete(POD)),
    ("delete pod a --grace-period=30", Delete(POD, 30)),
    ("delete pod a --grace-period=1", Delete(POD, 1)),
    ("delete pod a --grace-period=-1 --now", Delete(POD, 1)),
    ("delete pod a --grace-period=-1 --force", Delete(POD, 0, force=True)),
    ("delete pod a --force --grace-period=0", Delete(POD, 0, force=True)),
    ("delete pod a --cascade=true", Delete(POD)),
    ("delete pod a --cascade=false", Delete(POD, cascade="orphan")),
    *(
        (f"delete pod a --cascade={way}", Delete(POD, cascade=way))
        for way in ("background", "foreground", "orphan")
    ),  # type: ignore[arg-type]
    ("delete pods --all", Delete(Selection((), ("pods",), everything=True), ignore_not_found=True)),
    (
        "delete pods --all --ignore-not-found=false",
        Delete(Selection((), ("pods",), everything=True)),
    ),
    ("delete pods --field-selector a=b", Delete(Selection((), ("pods",), fields="a=b"))),
    ("delete pods -l a=b -A", Delete(Selection((), ("pods",), None, True, "a=b"))),
    ("delete pod a -o name", Delete(POD, output="name")),
    ("delete pod a --timeout=-5s", Delete(POD)),
    ("delete pod a --timeout=0", Delete(POD)),
    ("delete pod a --dry-run=none", Delete(POD)),
    ("delete pod a --dry-run=server", Delete(POD, dry_run=True)),
    # patches
    *(
        (f"patch pod a -p {{}} -o {form}", Patch(Target("pod", "a"), "strategic", {}, form))
        for form in ("name", "json", "yaml")
    ),  # type: ignore[arg-type]
    ("patch pod a --type=strategic -p {}", Patch(Target("pod", "a"), "strategic", {})),
    # the others
    ("scale rs/a --replicas=1 --current-replicas=-1", Scale((Target("rs", "a"),), 1)),
    ("scale rs/a --replicas=1 --current-replicas=0", Scale((Target("rs", "a"),), 1, 0)),
    (
        "scale rs/a rs/b --replicas=0 --dry-run=server",
        Scale((Target("rs", "a"), Target("rs", "b")), 0, None, True),
    ),
    ("rollout status deploy/a -w=false", RolloutStatus(Target("deploy", "a"), watch=False)),
    ("rollout status deploy/a -w", RolloutStatus(Target("deploy", "a"))),
    ("rollout status deploy/a --timeout=-1s", RolloutStatus(Target("deploy", "a"))),
    *((f"cordon {kind}/a", Cordon(("a",))) for kind in ("node", "nodes", "no")),
    ("cordon a b", Cordon(("a", "b"))),
    ("cordon -l x=y --dry-run=server", Cordon((), "x=y", dry_run=True)),
    ("uncordon -l x=y", Cordon((), "x=y", True)),
    ("drain a --delete-local-data", Drain(("a",), delete_emptydir=True)),
    ("drain a --delete-emptydir-data", Drain(("a",), delete_emptydir=True)),
    ("drain a --force --grace-period=-1 --timeout=-1s", Drain(("a",), force=True)),
    ("drain a --grace-period=0", Drain(("a",), grace=0)),
    ("drain -l x=y --ignore-daemonsets", Drain((), "x=y", True)),
    # waiting
    ("wait --for=delete pod/a", Wait(POD, "delete")),
    (
        "wait --for=condition=Ready pods -l a=b",
        Wait(Selection((), ("pods",), labels="a=b"), "condition", "Ready", "True"),
    ),
    ("wait --for=condition=Ready=Unknown pod/a", Wait(POD, "condition", "Ready", "Unknown")),
    ("wait --for=condition=Ready= pod/a", Wait(POD, "condition", "Ready", "")),
    ("wait --for=delete pods --field-selector a=b", Wait(Selection((), ("pods",), fields="a=b"), "delete")),
    # jobs and rights
    *(
        (f"create job x --from={kind}/y", CreateJob("x", Target(kind, "y")))
        for kind in ("cronjob", "cronjobs", "cj", "cronjobs.batch")
    ),
    *(
        (f"create job x --from=cj/y -o {form}", CreateJob("x", Target("cj", "y"), form))
        for form in ("name", "json", "yaml")
    ),  # type: ignore[arg-type]
    ("auth can-i get pods", CanI("get", "pods")),
    ("auth can-i get pods a", CanI("get", "pods", "a")),
    ("auth can-i get pods -q", CanI("get", "pods", quiet=True)),
    ("auth can-i get pods --quiet", CanI("get", "pods", quiet=True)),
    # running commands
    ("exec a -i -- sh", Exec(Target("pods", "a"), ("sh",), stdin=True)),
    ("exec a --stdin -- sh", Exec(Target("pods", "a"), ("sh",), stdin=True)),
    ("exec a --container=c -- sh -- x", Exec(Target("pods", "a"), ("sh", "--", "x"), "c")),
    ("exec pod/a -ic=c -- sh", Exec(Target("pod", "a"), ("sh",), "c", True)),
    # events, the newest verbs that look, and sorting
    ("events", Events()),
    ("events -n a --no-headers", Events("a", headers=False)),
    ("events -A", Events(None, True)),
    ("events -n a --for pod/x", Events("a", of=Target("pod", "x", "a"))),
    ("events --types=Warning", Events(types=("Warning",))),
    ("events --types=normal,WARNING", Events(types=("normal", "WARNING"))),
    ("events --types Normal --types Warning", Events(types=("Normal", "Warning"))),
    *(
        (f"top {kind}", Top(Selection((), (name,)), name == "nodes"))
        for name, kinds in (("pods", ("pods", "pod", "po")), ("nodes", ("nodes", "node", "no")))
        for kind in kinds
    ),
    ("top pods -n a", Top(Selection((), ("pods",), "a"))),
    ("top pod x -n a --containers", Top(Selection((Target("pods", "x", "a"),), (), "a"), containers=True)),
    ("top pods -A -l a=b --no-headers", Top(Selection((), ("pods",), None, True, "a=b"), headers=False)),
    ("top nodes -l a=b -n x", Top(Selection((), ("nodes",), labels="a=b"), True)),
    ("top node n --no-headers", Top(Selection((Target("nodes", "n"),)), True, headers=False)),
    ("rollout history deploy/x -n a", RolloutHistory(Target("deploy", "x", "a"))),
    *(
        (f"get pods --sort-by={path}", Get(Selection((), ("pods",)), sort_by=("status", "phase")))
        for path in ("status.phase", ".status.phase", "{status.phase}", "{.status.phase}")
    ),
    (
        "get pods --sort-by=.status.containerStatuses[10].restartCount",
        Get(Selection((), ("pods",)), sort_by=("status", "containerStatuses", 10, "restartCount")),
    ),
    (
        "get pods --sort-by='.metadata.labels.app\\.kubernetes\\.io/na_me-1'",
        Get(Selection((), ("pods",)), sort_by=("metadata", "labels", "app.kubernetes.io/na_me-1")),
    ),
    # labels, annotations and taints
    ("label pod a x=1", Relabel("labels", POD, {"x": "1"})),
    ("annotate pod a x=1", Relabel("annotations", POD, {"x": "1"})),
    ("label pod a x=1 y= z-", Relabel("labels", POD, {"x": "1", "y": "", "z": None})),
    ("label pod/a x=a=b- --overwrite", Relabel("labels", POD, {"x": "a=b-"}, True)),
    ("label pods -l a=b x=1", Relabel("labels", Selection((), ("pods",), labels="a=b"), {"x": "1"})),
    ("label pods --all x-", Relabel("labels", Selection((), ("pods",), everything=True), {"x": None})),
    (
        "label pods --field-selector a=b x-",
        Relabel("labels", Selection((), ("pods",), fields="a=b"), {"x": None}),
    ),
    *(
        (f"annotate pod a x- -o {form}", Relabel("annotations", POD, {"x": None}, output=form))
        for form in ("name", "json", "yaml")
    ),  # type: ignore[arg-type]
    ("label pod a x- --dry-run=server", Relabel("labels", POD, {"x": None}, dry_run=True)),
    *(
        (f"taint {nodes} k=v:{effect}", Taint(("n",), add=(NodeTaint("k", "v", effect),)))
        for nodes in ("nodes n", "node n", "no n", "node/n", "nodes/n", "no/n")
        for effect in ("NoSchedule", "PreferNoSchedule", "NoExecute")
    ),
    (
        "taint nodes n k:NoSchedule --overwrite",
        Taint(("n",), add=(NodeTaint("k", "", "NoSchedule"),), overwrite=True),
    ),
    ("taint nodes n k-", Taint(("n",), remove=(NodeTaint("k"),))),
    ("taint nodes n k:NoExecute-", Taint(("n",), remove=(NodeTaint("k", "", "NoExecute"),))),
    (
        "taint nodes -l a=b k=v:NoExecute q:NoSchedule- --dry-run=server",
        Taint(
            (), "a=b", (NodeTaint("k", "v", "NoExecute"),), (NodeTaint("q", "", "NoSchedule"),), dry_run=True
        ),
    ),
    ("taint nodes a b k-", Taint(("a", "b"), remove=(NodeTaint("k"),))),
    ("rollout undo deploy/x", RolloutUndo(Target("deploy", "x"))),
    ("rollout undo deploy/x --to-revision=0", RolloutUndo(Target("deploy", "x"))),
    ("rollout undo deploy/x --to-revision=3", RolloutUndo(Target("deploy", "x"), 3)),
    ("rollout undo deploy/x --dry-run=server", RolloutUndo(Target("deploy", "x"), dry_run=True)),
    ("drain a --pod-selector=x=y --dry-run=server", Drain(("a",), pods="x=y", dry_run=True)),
    ("drain a --timeout=1m", Drain(("a",), timeout=60.0)),
    ("wait --for=delete pod/a --timeout=-1s", Wait(POD, "delete", timeout=604800.0)),
    ("wait --for=delete pod/a --timeout=0", Wait(POD, "delete", timeout=0.0)),
    (
        "wait --for=delete pods --all -A",
        Wait(Selection((), ("pods",), None, True, everything=True), "delete"),
    ),
    ("auth can-i get pods/x", CanI("get", "pods", "x")),
    ("auth can-i get pods --subresource=log -A", CanI("get", "pods", subresource="log", all_namespaces=True)),
    ("auth can-i get pods -n a", CanI("get", "pods", namespace="a")),
    (
        "logs a --since=2m --timestamps --prefix",
        Logs(Selection((Target("pods", "a"),)), since=120.0, timestamps=True, prefix=True),
    ),
    (
        "logs a --all-containers -p",
        Logs(Selection((Target("pods", "a"),)), all_containers=True, previous=True),
    ),
]


@pytest.mark.parametrize(("line", "request_"), SAME, ids=[line for line, _ in SAME])
def test_a_line_is_the_request_that_kubectl_would_make(line: str, request_: Operation) -> None:
    assert read(line) == request_


AFTER_DASHES = (
    *("events", "top pods", "top nodes", "logs a", "rollout history deploy/x", "rollout status deploy/x"),
    *("wait --for=delete pod/a", "auth can-i get pods", "patch pod a -p {}", "label pod a x=1"),
    *("annotate pod a x-", "taint nodes n k-", "scale rs/a --replicas=1", "rollout restart rs/a"),
    *("rollout undo deploy/x", "cordon a", "uncordon a", "drain a", "create job x --from=cj/y"),
)
"""A line of each verb that takes no command."""


@pytest.mark.parametrize(
    ("line", "message", "word"),
    [
        ("-n", "the line names no verb", 0),
        ("--namespace", "kubectl --namespace before the verb is not built in", 0),
        ("-v=9 get pods", "kubectl -v=9 before the verb is not built in", 0),
        ("-A get pods", "kubectl -A before the verb is not built in", 0),
        ("x-n get pods", "kubectl x-n is not built in", 0),
        ("-n web --token=x get pods", "--token is the site's to say", 2),
        ("rollout", "kubectl rollout is not built in", 0),
        ("explain pods", "kubectl explain is not built in", 0),
        ("get pods -- x", "nothing may stand after --", 0),
        ("delete pod a -- x", "nothing may stand after --", 0),
        ("get ,", "names no resource", 1),
        ("get pod ''", "an empty name", 1),
        ("get pod a ''", "an empty name", 1),
        ("get /a", "is not TYPE/NAME", 1),
        ("get pod/", "is not TYPE/NAME", 1),
        ("get pod/a/b", "is not TYPE/NAME", 1),
        ("get pod,svc/a", "is not TYPE/NAME", 1),
        ("get pod/a svc", "is not TYPE/NAME", 2),
        *((f"get pod a {flag}", "names and selectors do not go together", 1) for flag in ("-l x=y", "-A")),
        ("get pod a --field-selector x=y", "names and selectors do not go together", 1),
        ("delete pod a --all", "names and selectors do not go together", 1),
        ("get pods -o json=x", "-o json=x is not built in: use `driver: binary`", 3),
        ("get pods -o jsonpath", "-o jsonpath is not built in", 3),
        ("delete pod a -o json", "kubectl delete -o json is not built in", 4),
        ("patch pod a -p {} -o wide", "kubectl patch -o wide is not built in", 6),
        ("delete pod a --wait=yes", "--wait is true or false", 3),
        ("delete pod a --cascade=all", "--cascade is one of background, foreground, orphan", 3),
        ("delete pod a --grace-period=1.5", "takes a whole number", 3),
        ("delete pod a --grace-period=1x", "takes a whole number", 3),
        ("delete pod a --grace-period=1234567890123456789", "takes a whole number", 3),
        ("delete pod a --timeout=soon", "takes a duration", 3),
        ("delete pod a --now --grace-period=0", "do not go together", 3),
        ("delete pod a --now --grace-period=5", "do not go together", 3),
        ("delete pod a --force --now", "do not go together", 3),
        ("delete pod a --force --grace-period=1", "do not go together", 3),
        ("delete pods -A", "names no object", 0),
        ("logs", "names no pod", 0),
        ("logs a b c", "'c' is one argument too many", 3),
        ("logs -l x=y a", "'a' is one argument too many", 3),
        ("logs a -c c --all-containers", "do not go together", 0),
        ("logs /a", "is not TYPE/NAME", 1),
        ("logs pod/", "is not TYPE/NAME", 1),
        ("exec -- ls", "names no pod", 0),
        ("exec a b -- ls", "'b' is one argument too many", 2),
        ("exec a ls", "the command stands after --", 1),
        ("exec a --", "no command after --", 0),
        ("patch pod a -p '[]'", "-p must be an object for --type=strategic", 4),
        ("patch pod a --type=merge -p '[]'", "-p must be an object for --type=merge", 5),
        ("patch pod a --type=yaml -p {}", "--type is one of strategic, merge, json", 3),
        ("patch pods -p {}", "needs one TYPE/NAME", 0),
        ("scale rs/a --replicas=many", "takes a whole number", 2),
        ("scale --replicas=1", "needs TYPE/NAME", 0),
        ("rollout status deploy/a deploy/b", "takes one object", 3),
        ("rollout status deploy", "needs one TYPE/NAME", 0),
        ("cordon a -l x=y", "one of the two", 0),
        ("drain", "one of the two", 0),
        ("drain deploy/a", "is no node", 1),
        ("wait --for=delete pods", "names no object", 0),
        ("wait --for=condition pod/a", "--for=condition is not built in", 1),
        ("wait --for=condition= pod/a", "is not built in", 1),
        ("wait --for=jsonpath= pod/a", "is not built in", 1),
        ("wait --for=delete=x pod/a", "is not built in", 1),
        ("create job", "names no job", 0),
        ("create job x y --from=cj/z", "'y' is one argument too many", 3),
        ("create job x --from=cj", "--from takes cronjob/NAME", 3),
        ("create job x --from=cj/", "--from takes cronjob/NAME", 3),
        ("create job x --from=deploy/z", "--from takes cronjob/NAME", 3),
        ("auth can-i get", "takes a verb and a resource", 0),
        ("auth can-i", "takes a verb and a resource", 0),
        ("auth can-i get pods a b", "'b' is one argument too many", 5),
        ("get pods --selector", "the flag --selector needs a value", 2),
        ("get pods -l --", "has no value before --", 2),
        ("get pods --client-key=x", "--client-key is the site's to say", 2),
        ("get pods -Ax", "kubectl get -x is not built in", 2),
        *((f"{line} -- x", "nothing may stand after --", 0) for line in AFTER_DASHES),
        ("events x", "'x' is one argument too many", 1),
        *((f"events --for={of}", "--for takes TYPE/NAME", 1) for of in ("pod", "/x", "pod/", "/")),
        ("events --types=Normal,Loud", "--types is Normal, Warning, or both", 1),
        ("events --types=Normal --types=", "--types is Normal, Warning, or both", 2),
        ("top pods a b", "'b' is one argument too many", 3),
        ("top pods a -l x=y", "a name and a selector do not go together", 2),
        ("top pods a -A", "a name and a selector do not go together", 2),
        ("top nodes -A", "kubectl top nodes -A is not built in", 2),
        ("top nodes --containers", "kubectl top nodes --containers is not built in", 2),
        *(
            (f"get pods --sort-by='{path}'", "is not one field", 2)
            for path in ("{.a", ".a}", "..a", ".a[*]", ".a[-1]", "[0]", "a b", "{.a}{.b}", ".a.", "")
        ),
        ("label pod a", "says nothing to change", 0),
        ("label x=1 pod a", "the objects stand before what is changed", 1),
        ("label pod x=1 a", "the objects stand before what is changed", 2),
        ("label pods x=1", "names no object", 0),
        ("label pods -A x=1", "kubectl label -A is not built in", 2),
        ("label pod a =1", "is no change, or one of two", 3),
        ("label pod a -", "is no change, or one of two", 3),
        ("label pod a x=1 x-", "is no change, or one of two", 4),
        ("label pod a x=1 -o wide", "kubectl label -o wide is not built in", 5),
        ("taint nodes n", "names no taint", 0),
        ("taint k=v:NoSchedule", "takes nodes", 0),
        ("taint pods n k=v:NoSchedule", "takes nodes", 0),
        ("taint nodes k=v:NoSchedule", "one of the two", 0),
        ("taint nodes n -l a=b k=v:NoSchedule", "one of the two", 0),
        *(
            (f"taint nodes n {taint}", "is not KEY=VALUE:EFFECT", 3)
            for taint in ("k=v", "k=v:Never", ":NoSchedule", ":NoSchedule-", "k:Never-", "=v:NoSchedule")
        ),
        ("rollout undo deploy/x --to-revision=-1", "--to-revision cannot be below 0", 3),
        ("rollout undo deploy/x deploy/y", "takes one object", 3),
        ("rollout history deploy", "needs one TYPE/NAME", 0),
        ("rollout history deploy/x deploy/y", "takes one object", 3),
        ("cordon pod/a", "is no node", 1),
        ("delete pod a --dry-run", "does not ask the server", 3),
        ("delete pod a --dry-run=client", "does not ask the server", 3),
    ],
)
def test_what_is_not_understood_is_refused_at_its_place(line: str, message: str, word: int) -> None:
    with pytest.raises(KubectlSyntaxError) as raised:
        read(line)
    assert message in str(raised.value)
    assert raised.value.word == word


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("1s", 1.0),
        ("90m", 5400.0),
        ("1h30m10s", 5410.0),
        ("1.5h", 5400.0),
        (".5s", 0.5),
        ("250ms", 0.25),
        ("5us", 5e-6),
        ("5µs", 5e-6),
        ("7ns", 7e-9),
        ("-1s", -1.0),
        ("+2s", 2.0),
        ("", None),
        ("1", None),
        ("s", None),
        ("1d", None),
        ("1s ", None),
        ("--1s", None),
        ("1s2", None),
    ],
)
def test_a_duration_is_read_as_go_reads_it(text: str, seconds: float | None) -> None:
    assert go_duration(text) == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    ("line", "target"),
    [
        ("get pod a", Target("pod", "a")),
        ("wait --for=delete pod/a", Target("pod", "a")),
        ("logs a", Target("pods", "a")),
        ("logs -l a=b", None),
        ("get pods a b", None),
        ("scale rs/a rs/b --replicas=1", None),
        ("rollout restart rs/a", Target("rs", "a")),
        ("rollout status rs/a", Target("rs", "a")),
        ("cordon a", Target("nodes", "a")),
        ("cordon a b", None),
        ("drain a b", None),
        ("drain -l a=b", None),
        ("delete pods --all", None),
        ("events --for=pod/x", Target("pod", "x")),
        ("events", None),
        ("top pod x", Target("pods", "x")),
        ("label pod a x=1", Target("pod", "a")),
        ("label pods -l a=b x=1", None),
        ("taint nodes n k-", Target("nodes", "n")),
        ("taint nodes a b k-", None),
        ("taint nodes -l a=b k-", None),
        ("rollout history deploy/x", Target("deploy", "x")),
        ("rollout undo deploy/x", Target("deploy", "x")),
        ("create job x --from=cj/y", Target("cj", "y")),
        ("patch pod a -p {}", Target("pod", "a")),
        ("exec a -- ls", Target("pods", "a")),
        ("uncordon a", Target("nodes", "a")),
        ("drain a", Target("nodes", "a")),
    ],
)
def test_which_one_object_a_line_is_about(line: str, target: Target | None) -> None:
    assert understood(shlex.split(line)).target == target


def test_what_the_server_can_try_beforehand() -> None:
    lines = {
        "delete pod a": True,
        "patch pod a -p {}": True,
        "scale rs/a --replicas=1": True,
        "rollout restart rs/a": True,
        "cordon a": True,
        "drain a": True,
        "create job x --from=cj/y": True,
        "get pods": False,
        "logs a": False,
        "exec a -- ls": False,
        "wait --for=delete pod/a": False,
        "rollout status rs/a": False,
        "auth can-i get pods": False,
    }
    assert {line: understood(shlex.split(line)).takes_dry_run for line in lines} == lines
    assert read("rollout restart rs/a") == RolloutRestart((Target("rs", "a"),))


@pytest.mark.parametrize(
    "line",
    [
        "delete pod a --grace-period=VALUE",
        "delete pod a --timeout=VALUE",
        "delete pod a --cascade=VALUE",
        "delete pod a --wait=VALUE",
        "get pods -o VALUE",
        "patch pod a -p VALUE",
        "patch pod a --type=json -p VALUE",
        "scale rs/a --replicas=VALUE",
        "wait --for=VALUE pod/a",
        "create job x --from=VALUE",
        "events --for=VALUE",
        "events --types=VALUE",
        "taint nodes n VALUE:",
        "delete pod VALUE",
    ],
)
def test_a_value_that_is_not_known_yet_is_not_looked_at_but_its_place_is(line: str) -> None:
    words = line.split()
    places = frozenset(index for index, word in enumerate(words) if "VALUE" in word)
    assert parse(words, places)
    if line != "delete pod VALUE":
        with pytest.raises(KubectlSyntaxError):
            parse(words)


RIGHTS: list[tuple[str, bool, bool, list[tuple[str, str, str, str]]]] = [
    ("get pods -n a", False, False, [("list", "pods", "", "a")]),
    ("get pod x -n a", False, False, [("get", "pod", "", "a")]),
    ("get nodes", False, False, [("list", "nodes", "", "")]),
    ("get pods -A", False, False, [("list", "pods", "", "*")]),
    ("top pods -n a", False, False, [("list", "pods.metrics.k8s.io", "", "a")]),
    ("top nodes", False, False, [("list", "nodes.metrics.k8s.io", "", ""), ("list", "nodes", "", "")]),
    ("describe pod x -n a", False, False, [("get", "pod", "", "a"), ("list", "events", "", "a")]),
    ("describe pods -n a --show-events=false", False, False, [("list", "pods", "", "a")]),
    ("top node n", False, False, [("get", "nodes.metrics.k8s.io", "", ""), ("get", "nodes", "", "")]),
    ("top pods -A", False, False, [("list", "pods.metrics.k8s.io", "", "*")]),
    ("events -n a", False, False, [("list", "events", "", "a")]),
    ("events -A", False, False, [("list", "events", "", "*")]),
    ("events", False, False, [("list", "events", "", "")]),
    ("logs -l a=b -n a", False, False, [("get", "pods", "log", "a"), ("list", "pods", "", "a")]),
    (
        "rollout history deploy/x -n a",
        False,
        False,
        [("get", "deploy", "", "a"), ("list", "replicasets", "", "a")],
    ),
    (
        "rollout undo deploy/x -n a",
        True,
        True,
        [("list", "replicasets", "", "a"), ("patch", "deploy", "", "a")],
    ),
    ("rollout history deploy/x", False, False, [("get", "deploy", "", ""), ("list", "replicasets", "", "")]),
    ("logs x -n a", False, False, [("get", "pods", "log", "a")]),
    ("exec x -n a -- ls", False, False, [("get", "pods", "exec", "a"), ("create", "pods", "exec", "a")]),
    ("apply --server-side -f - -n a", True, True, []),
    ("delete pod x -n a", True, True, [("delete", "pod", "", "a")]),
    ("delete pods -l a=b -n a", True, True, [("delete", "pods", "", "a")]),
    ("patch pod x -n a -p {}", True, True, [("patch", "pod", "", "a")]),
    ("label pod x a=b -n a", True, True, [("patch", "pod", "", "a")]),
    ("annotate pods a=b -l c=d -n a", True, True, [("patch", "pods", "", "a")]),
    ("taint nodes n a=b:NoSchedule", True, True, [("patch", "nodes", "", "")]),
    ("scale deployment/x --replicas=1 -n a", True, True, [("patch", "deployment", "scale", "a")]),
    ("rollout restart deployment/x -n a", True, True, [("patch", "deployment", "", "a")]),
    ("rollout status deployment/x -n a", False, False, [("watch", "deployment", "", "a")]),
    ("cordon n", True, True, [("patch", "nodes", "", "")]),
    ("uncordon n", True, True, [("patch", "nodes", "", "")]),
    ("drain n", True, True, [("patch", "nodes", "", ""), ("create", "pods", "eviction", "*")]),
    ("drain -l a=b", True, True, [("patch", "nodes", "", ""), ("create", "pods", "eviction", "*")]),
    ("wait pod x --for=delete -n a", False, False, [("watch", "pod", "", "a")]),
    (
        "create job j --from=cronjob/c -n a",
        True,
        False,
        [("get", "cronjob", "", "a"), ("create", "jobs", "", "a")],
    ),
    ("auth can-i get pods", False, False, []),
]
"""Of each verb: whether the API server can be asked what would happen, whether it can be bound to one object,
and what it has to be allowed: verb, resource, subresource and namespace."""


@pytest.mark.parametrize(("line", "dry_run", "pin", "needs"), RIGHTS, ids=[each[0] for each in RIGHTS])
def test_what_a_line_can_be_asked_bound_to_and_has_to_be_allowed(
    line: str, dry_run: bool, pin: bool, needs: list[tuple[str, str, str, str]]
) -> None:
    command = understood(shlex.split(line))
    operation = command.operation
    assert operation is not None
    assert (command.takes_dry_run, operation.takes_dry_run, operation.takes_pin) == (dry_run, dry_run, pin)
    assert list(operation.needs()) == needs


@pytest.mark.parametrize("line", ["version", "api-resources", "explain pod", "apply -f x"])
def test_a_line_that_only_the_program_understands_cannot_be_asked_what_it_would_do(line: str) -> None:
    command = understood(shlex.split(line))
    assert command.operation is None and not command.takes_dry_run


FLAGS = {
    "get": """
        --all-namespaces --field-selector= --ignore-not-found --namespace= --no-headers --output= --selector=
        --sort-by= -A -l= -n= -o=
    """,
    "describe": """
        --all-namespaces --namespace= --selector= --show-events -A -l= -n=
    """,
    "events": """
        --all-namespaces --for= --namespace= --no-headers --types= -A -n=
    """,
    "top pods, top pod, top po": """
        --all-namespaces --containers --namespace= --no-headers --selector= -A -l=
        -n=
    """,
    "top nodes, top node, top no": """
        --namespace= --no-headers --selector= -l= -n=
    """,
    "logs": """
        --all-containers --container= --namespace= --prefix --previous --selector= --since=
        --tail= --timestamps -c= -l= -n= -p
    """,
    "rollout history, rollout restart": """
        --namespace= -n=
    """,
    "rollout status": """
        --namespace= --timeout= --watch -n= -w
    """,
    "wait": """
        --all --all-namespaces --field-selector= --for= --namespace= --selector= --timeout=
        -A -l= -n=
    """,
    "auth can-i": """
        --all-namespaces --namespace= --quiet --subresource= -A -n= -q
    """,
    "label, annotate": """
        --all --dry-run[=] --field-selector= --namespace= --output= --overwrite --selector=
        -l= -n= -o=
    """,
    "taint": """
        --dry-run[=] --namespace= --overwrite --selector= -l= -n=
    """,
    "exec": """
        --container= --namespace= --stdin -c= -i -n=
    """,
    "delete": """
        --all --all-namespaces --cascade[=] --dry-run[=] --field-selector= --force --grace-period=
        --ignore-not-found --namespace= --now --output= --selector= --timeout= --wait -A -l= -n= -o=
    """,
    "patch": """
        --dry-run[=] --namespace= --output= --patch= --type= -n= -o=
        -p=
    """,
    "scale": """
        --current-replicas= --dry-run[=] --namespace= --replicas= -n=
    """,
    "rollout undo": """
        --dry-run[=] --namespace= --to-revision= -n=
    """,
    "cordon, uncordon": """
        --dry-run[=] --namespace= --selector= -l= -n=
    """,
    "drain": """
        --delete-emptydir-data --delete-local-data --dry-run[=] --force --grace-period= --ignore-daemonsets
        --namespace= --pod-selector= --selector= --timeout= -l= -n=
    """,
    "create job": """
        --dry-run[=] --from= --namespace= --output= -n= -o=
    """,
}
"""The flags of each verb: `=` takes a value, `[=]` may take one that is joined."""


@pytest.mark.parametrize("verbs", FLAGS)
def test_a_verb_has_the_flags_that_are_built_in_and_no_others(verbs: str) -> None:
    own = {each.rstrip("=[]"): each for each in FLAGS[verbs].split()}
    every = {each.rstrip("=[]") for flags in FLAGS.values() for each in flags.split()}
    for verb, flag in product(verbs.split(", "), every | {"--x", "-x"}):
        refused = understood([*verb.split(), flag]).refused
        assert (f"{flag} is not built in" in refused) is (flag not in own), (verb, flag)
        takes = own.get(flag, "").endswith("=")
        assert (f"the flag {flag} needs a value" in refused) is takes, (verb, flag)
