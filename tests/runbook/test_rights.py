"""What a runbook's kubectl lines need to be allowed, where their objects stand beside the line."""

from breakglass.runbook.rights import rights_of
from tests.runbook.format_support import good, with_steps

OBJECTS = """\
- id: a
  title: x
  impact: y
  confirm: key
  undo: NONE
  kubectl:
    run: apply --server-side -f - -n web
    manifest:
      - {apiVersion: v1, kind: ConfigMap, metadata: {name: "${{ inputs.namespace }}"}}
      - {apiVersion: apps/v1, kind: Deployment, metadata: {name: a, namespace: web}}
  verify: {kubectl: get pods -n web, until: result.exit == 0, within: 10s}
"""


def test_a_manifest_is_read_and_patched_by_its_kinds() -> None:
    runbook = good(with_steps(OBJECTS))
    words = [right.words for right in rights_of(runbook, "main", {})]
    assert sorted(each for each in words if "pods" not in each) == [
        "get configmap in web",
        "get deployment.apps in web",
        "patch configmap in web",
        "patch deployment.apps in web",
    ]
