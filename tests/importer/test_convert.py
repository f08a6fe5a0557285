"""What a command of a page becomes."""

from pathlib import Path
from typing import cast

import pytest

from breakglass.importer.checked import Checker, by_hand
from breakglass.importer.convert import converted
from breakglass.importer.filters import expression_of
from breakglass.importer.place import HERE, ShellPlace
from breakglass.importer.units import Keys, Unit, Went
from breakglass.importer.values import Values
from breakglass.runbook.expression import Expression, evaluate
from breakglass.values import Json
from breakglass.yamlio.position import Position


def _steps(text: str, place: ShellPlace = HERE) -> list[Keys]:
    values = Values()
    checker = Checker(values)
    units = [each for each in converted(text, place, values) if isinstance(each, Unit)]
    return [checker.accepted(each) or by_hand(each) for each in units]


@pytest.mark.parametrize(
    ("text", "action"),
    [
        ("oc get pods -n web", {"kubectl": "get pods -n web"}),
        ("oc adm cordon node-1", {"kubectl": "cordon node-1"}),
        ("kubectl --context prod get nodes", {"kubectl": {"run": "get nodes", "cluster": "prod"}}),
        ("kubectl logs -f web-0 -n web", {"kubectl": "logs web-0 -n web"}),
        ("kubectl exec -it web-0 -n web -- df -h", {"kubectl": "exec web-0 -n web -- df -h"}),
        ("ssh root@pve1 'df -h | tail -1'", {"ssh": {"host": "pve1", "run": "df -h | tail -1"}}),
        ("ssh -p 22 -i key ops@pve1 sudo qm list", {"ssh": {"host": "pve1", "run": "qm list", "sudo": True}}),
        ("ssh pve1 df -h | grep srv", {"ssh": {"host": "pve1", "run": "df -h | grep srv"}}),
        ("ssh <host> uptime", {"ssh": {"host": "${{ inputs.host }}", "run": "uptime"}}),
        ("watch -n 5 'vault status'", {"local": ["vault", "status"]}),
        (
            "curl -sk https://app.lab/health?full=1",
            {"http": {"get": "app.lab", "path": "/health", "query": {"full": "1"}}},
        ),
        ("curl -I https://app.lab/", {"http": {"head": "app.lab"}}),
    ],
)
def test_a_command_becomes_the_action_of_its_kind(text: str, action: Keys) -> None:
    (step,) = _steps(text)
    assert action.items() <= step.items()


@pytest.mark.parametrize(
    ("text", "risk"),
    [
        ("kubectl get pods | xargs kubectl delete pod", "destructive"),
        ("kubectl edit deploy web", "change"),
        ("ssh -L 8080:web:80 jump", "change"),
        ("curl -o /etc/app.yaml https://app.lab/app.yaml", "change"),
        ("vim /etc/exports", "change"),
    ],
)
def test_what_is_more_than_a_read_never_becomes_one(text: str, risk: str) -> None:
    (step,) = _steps(text)
    assert step.get("risk") == risk or ("verify" in step and ("confirm" in step) == (risk == "destructive"))


def test_a_substitution_is_a_step_of_its_own_whose_value_goes_into_the_line() -> None:
    first, second = _steps(
        "kubectl delete pod $(kubectl get pod -l app=web -o jsonpath='{.items[0].metadata.name}')"
    )
    (name,) = cast("dict[str, str]", first["capture"])
    assert first["kubectl"] == "get pod -l app=web -o json"
    assert second["kubectl"] == f"delete pod ${{{{ {name} }}}}"


def test_the_lines_after_a_login_run_there_until_it_ends() -> None:
    values = Values()
    (gone,) = converted("ssh root@pve1", HERE, values)
    assert isinstance(gone, Went)
    (step,) = _steps("systemctl status nfs-server", gone.place)
    assert step["ssh"] == {"host": "pve1", "run": "systemctl status nfs-server"}
    assert list(converted("exit", gone.place, values)) == [Went(HERE)]


def test_objects_in_a_here_document_are_applied() -> None:
    (step,) = _steps(
        "cat <<EOF | kubectl apply -f -\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\nEOF"
    )
    assert step["kubectl"] == {
        "run": "apply --server-side -f -",
        "manifest": {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}},
    }


_LINES = "NAME  READY  STATUS\nweb-0  1/1  Running\nweb-1  0/1  Pending\n"


@pytest.mark.parametrize(
    ("filters", "value"),
    [
        (["grep Running"], ["web-0  1/1  Running"]),
        (["grep -v Running", "wc -l"], 2),
        (["grep -ci pending"], 1),
        (["grep -E 'Pending|Failed'"], ["web-1  0/1  Pending"]),
        (["awk '{print $1}'"], ["NAME", "web-0", "web-1"]),
        (["awk 'NR==2{print $3}'"], "Running"),
        (["grep web-1", "awk '{print $2}'"], ["0/1"]),
        (["sed s/a/b/"], None),
        (["xargs rm"], None),
    ],
)
def test_a_plain_filter_is_an_expression_that_gives_what_it_would_print(
    filters: list[str], value: Json
) -> None:
    source = expression_of(filters, json=False)
    if value is None:
        assert source is None
    else:
        assert source is not None and _value(source, {"text": _LINES}) == value


def test_a_path_of_jq_is_a_path_of_the_result() -> None:
    source = expression_of(["jq -r '.items[].metadata.name'"], json=True)
    assert source is not None
    assert _value(source, {"json": {"items": [{"metadata": {"name": "a"}}]}}) == ["a"]


def _value(source: str, result: dict[str, Json]) -> Json:
    return evaluate(Expression(source, Position(Path("test"), 1, 1)), {"result": result})


def test_kubectl_after_a_shell_in_a_pod_runs_where_the_reader_is_again() -> None:
    (step,) = _steps("oc get nodes", ShellPlace("pod", "exec web-0 -n web"))
    assert step["kubectl"] == "get nodes"
