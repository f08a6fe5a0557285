"""Which kubectl lines are built in, what is made of them, and how the others are refused."""

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakglass.policy.commands import judge_kubectl
from breakglass.policy.kubectl.changes import (
    Cordon,
    CreateJob,
    Delete,
    Drain,
    Exec,
    Patch,
    RolloutRestart,
    Scale,
)
from breakglass.policy.kubectl.flags import cluster_flag
from breakglass.policy.kubectl.operations import (
    CanI,
    Get,
    Logs,
    Operation,
    RolloutStatus,
    Selection,
    Target,
    Wait,
)
from breakglass.policy.kubectl.parse import KubectlSyntaxError, parse, understood
from breakglass.policy.risk import Risk
from tests.runbook.format_support import expect_at_marks, good, with_steps


def read(line: str) -> Operation:
    return parse(shlex.split(line))


FRONT = Target("pod", "front", "web")

LINES: list[tuple[str, Operation]] = [
    ("get pods -n web", Get(Selection((), ("pods",), "web"))),
    ("-n web get pods", Get(Selection((), ("pods",), "web"))),
    ("get -nweb pods", Get(Selection((), ("pods",), "web"))),
    ("get po,svc -A -l a=b -o wide", Get(Selection((), ("po", "svc"), None, True, "a=b"), "wide")),
    ("get pod front -n web -o json", Get(Selection((FRONT,), (), "web"), "json")),
    ("get pod/front --namespace=web -ojson", Get(Selection((FRONT,), (), "web"), "json")),
    (
        "get pods a b --no-headers --ignore-not-found",
        Get(Selection((Target("pods", "a"), Target("pods", "b"))), ignore_not_found=True, headers=False),
    ),
    (
        "get pods --field-selector spec.nodeName=x -o yaml",
        Get(Selection(kinds=("pods",), fields="spec.nodeName=x"), "yaml"),
    ),
    (
        "logs front -c main --since=1h30m --tail=50",
        Logs(Selection((Target("pods", "front"),)), "main", 5400.0, 50),
    ),
    ("logs front main -p", Logs(Selection((Target("pods", "front"),)), "main", previous=True)),
    ("logs -l app=web --prefix", Logs(Selection(labels="app=web"), tail=10, prefix=True)),
    ("logs -l app=web --tail=-1", Logs(Selection(labels="app=web"))),
    (
        "logs deploy/web --all-containers --timestamps",
        Logs(Selection((Target("deploy", "web"),)), timestamps=True, all_containers=True),
    ),
    ("exec -n web front -- df -k", Exec(Target("pods", "front", "web"), ("df", "-k"))),
    (
        "exec -i deploy/web -c main -- sh -c 'a -- b'",
        Exec(Target("deploy", "web"), ("sh", "-c", "a -- b"), "main", True),
    ),
    ("delete pod front -n web", Delete(Selection((FRONT,), (), "web"))),
    ("delete pod/front -n web --wait=false", Delete(Selection((FRONT,), (), "web"), wait=False)),
    (
        "delete pod front -n web --force --grace-period=0",
        Delete(Selection((FRONT,), (), "web"), 0, force=True),
    ),
    ("delete pod front -n web --force", Delete(Selection((FRONT,), (), "web"), 0, force=True)),
    ("delete pod front -n web --grace-period=0", Delete(Selection((FRONT,), (), "web"), 1)),
    ("delete pod front -n web --now", Delete(Selection((FRONT,), (), "web"), 1)),
    (
        "delete jobs -l a=b --cascade=orphan --timeout=5s --ignore-not-found",
        Delete(
            Selection(kinds=("jobs",), labels="a=b"), timeout=5.0, cascade="orphan", ignore_not_found=True
        ),
    ),
    ("delete job a --cascade", Delete(Selection((Target("job", "a"),)))),
    ("patch node a -p '{}'", Patch(Target("node", "a"), "strategic", {})),
    (
        "patch node/a --type=merge --patch='{\"a\":1}' -o name",
        Patch(Target("node", "a"), "merge", {"a": 1}, "name"),
    ),
    (
        "patch node a --type json -p '[]' --dry-run=server",
        Patch(Target("node", "a"), "json", [], dry_run=True),
    ),
    ("scale deployment/web --replicas=0", Scale((Target("deployment", "web"),), 0)),
    ("scale deploy web --replicas 3 --current-replicas=2", Scale((Target("deploy", "web"),), 3, 2)),
    (
        "rollout restart deployment/web deployment/api",
        RolloutRestart((Target("deployment", "web"), Target("deployment", "api"))),
    ),
    ("rollout status deployment web --timeout=1m", RolloutStatus(Target("deployment", "web"), timeout=60.0)),
    ("rollout status deployment/web --watch=false", RolloutStatus(Target("deployment", "web"), watch=False)),
    ("cordon node1", Cordon(("node1",))),
    ("uncordon node/node1", Cordon(("node1",), schedulable=True)),
    (
        "drain node1 --ignore-daemonsets --delete-emptydir-data --grace-period=30 --timeout=2m "
        "--pod-selector=a=b",
        Drain(("node1",), "", True, True, False, 30, 120.0, "a=b"),
    ),
    (
        "wait --for=condition=Ready pod/front -n web",
        Wait(Selection((FRONT,), (), "web"), "condition", "Ready", "True"),
    ),
    (
        "wait --for=condition=Ready=false pods --all --timeout=-1s",
        Wait(Selection(kinds=("pods",), everything=True), "condition", "Ready", "false", 604800.0),
    ),
    (
        "wait --for=delete pod/front -n web --timeout=0",
        Wait(Selection((FRONT,), (), "web"), "delete", timeout=0.0),
    ),
    (
        "create job by-hand --from=cronjob/probe -n web",
        CreateJob("by-hand", Target("cronjob", "probe", "web")),
    ),
    ("auth can-i delete pods/front -n web", CanI("delete", "pods", "front", namespace="web")),
    (
        "auth can-i create pods --subresource=exec -A",
        CanI("create", "pods", subresource="exec", all_namespaces=True),
    ),
]


@pytest.mark.parametrize(("line", "request_"), LINES, ids=[line for line, _ in LINES])
def test_a_line_becomes_a_request(line: str, request_: Operation) -> None:
    assert read(line) == request_


@pytest.mark.parametrize(
    ("line", "message", "word"),
    [
        ("", "names no verb", 0),
        ("explain pod", "kubectl explain is not built in: use `driver: binary`", 0),
        ("rollout pause deployment/x", "kubectl rollout pause is not built in: use `driver: binary`", 0),
        ("-n web explain pods", "kubectl explain is not built in", 2),
        ("get pods --watch", "kubectl get --watch is not built in: use `driver: binary`", 2),
        ("get pods -w", "kubectl get -w is not built in", 2),
        (
            "get pods -o go-template=x",
            "kubectl get -o go-template is not built in: "
            "take `-o json` and an expression over `result.json`, or use `driver: binary` for it",
            3,
        ),
        ("get pods -o jsonpath={.a}", "-o jsonpath is not built in: take `-o json` and an expression", 3),
        ("get pods -ocustom-columns=A:.a", "-o custom-columns is not built in: take `-o json`", 2),
        (
            "wait --for=jsonpath={.a}=b pod/a",
            "--for=jsonpath={.a}=b is not built in: use",
            1,
        ),
        ("get", "names no resource", 0),
        ("get pods -n", "the flag -n needs a value", 2),
        ("get pods --context other", "--context is the site's to say", 2),
        ("--kubeconfig=x get pods", "--kubeconfig is the site's to say", 0),
        ("get pods -s https://x", "-s is the site's to say", 2),
        ("get pods --as=root", "--as is the site's to say", 2),
        ("get pods --request-timeout=1s", "the step's `timeout` is the deadline", 2),
        ("get pod/a b", "is not TYPE/NAME", 2),
        ("get pod a -l x=y", "names and selectors do not go together", 1),
        ("logs -f front", "kubectl logs -f is not built in", 1),
        ("logs", "names no pod", 0),
        ("logs front --tail=many", "--tail takes a whole number", 2),
        ("logs front --since=yesterday", "--since takes a duration", 2),
        ("exec front", "the command stands after --", 1),
        ("exec front --", "no command after --", 0),
        ("exec -it front -- sh", "kubectl exec -t is not built in", 1),
        ("exec front -c -- df -- rm -rf /", "has no value before --", 2),
        ("delete pods", "names no object", 0),
        ("delete pod a --force --grace-period=30", "do not go together", 3),
        ("delete -f x.yaml", "kubectl delete -f is not built in", 1),
        ("delete pod a --dry-run", "--dry-run=unchanged does not ask the server", 3),
        ("delete pod a --dry-run=client", "does not ask the server", 3),
        ("patch node a", "says nothing to change", 0),
        ("patch node a -p x", "-p is not JSON", 4),
        ("patch node a --type=json -p '{}'", "-p must be a list of operations", 5),
        ("patch nodes a b -p '{}'", "takes one object", 3),
        ("scale deployment/a", "--replicas is missing", 0),
        ("scale deployment --replicas=1", "needs TYPE/NAME", 0),
        ("scale deployment/a --replicas=-1", "cannot be below 0", 2),
        ("rollout restart deployment", "needs TYPE/NAME", 0),
        ("cordon", "name nodes, or select them", 0),
        ("cordon pod/x", "is no node", 1),
        ("drain a --disable-eviction", "kubectl drain --disable-eviction is not built in", 2),
        ("wait pod/a", "--for is missing", 0),
        ("wait pod/a --for=create", "kubectl wait --for=create is not built in", 2),
        ("create job x --image=y", "kubectl create job --image is not built in", 3),
        ("create job x", "without --from is not built in", 0),
        ("create job x --from=job/y", "--from takes cronjob/NAME", 3),
        ("create deployment x", "kubectl create deployment is not built in", 0),
        ("auth can-i --list", "kubectl auth can-i --list is not built in", 2),
        ("auth whoami", "kubectl auth whoami is not built in", 0),
        ("auth can-i get /healthz", "for a URL is not built in", 0),
    ],
)
def test_what_is_not_built_in_is_named_with_its_place(line: str, message: str, word: int) -> None:
    with pytest.raises(KubectlSyntaxError) as raised:
        read(line)
    assert message in str(raised.value)
    assert raised.value.word == word


@given(
    st.lists(
        st.one_of(
            st.sampled_from(
                [
                    *(
                        "get",
                        "logs",
                        "exec",
                        "delete",
                        "patch",
                        "scale",
                        "rollout",
                        "restart",
                        "drain",
                        "wait",
                    ),
                    *("-n", "-A", "-l", "--", "-", "--for", "--for=delete", "-p", "{}", "pod/a", "pods", "a"),
                    *(
                        "--replicas=1",
                        "--grace-period",
                        "0",
                        "--force",
                        "-o",
                        "json",
                        "--dry-run",
                        "-c",
                        "-i",
                    ),
                ]
            ),
            st.text(max_size=6),
        ),
        max_size=9,
    )
)
def test_any_words_are_a_request_or_refused(words: list[str]) -> None:
    try:
        request = parse(words)
    except KubectlSyntaxError as error:
        assert str(error)
        assert 0 <= error.word < max(1, len(words))
    else:
        if isinstance(request, Exec):
            assert request.command == tuple(words[words.index("--") + 1 :])
        if judge_kubectl(words).risk <= Risk.READ:
            assert not understood(words).takes_dry_run


@pytest.mark.parametrize(
    ("line", "target"),
    [
        ("delete pod front -n web", FRONT),
        ("delete pods a b", None),
        ("delete pods -l a=b", None),
        ("patch node a -p '{}'", Target("node", "a")),
        ("scale deployment/web --replicas=1", Target("deployment", "web")),
        ("rollout restart deployment/a deployment/b", None),
        ("drain node1", Target("nodes", "node1")),
        ("cordon -l a=b", None),
        ("exec -n web front -- df", Target("pods", "front", "web")),
        ("create job x --from=cronjob/y", Target("cronjob", "y")),
        ("get pods", None),
        ("auth can-i get pods", None),
    ],
)
def test_the_one_object_that_is_acted_on(line: str, target: Target | None) -> None:
    assert understood(shlex.split(line)).target == target


@pytest.mark.parametrize(
    ("line", "supported"),
    [
        ("delete pod a", True),
        ("patch node a -p '{}'", True),
        ("scale deployment/a --replicas=1", True),
        ("rollout restart deployment/a", True),
        ("cordon a", True),
        ("drain a", True),
        ("create job x --from=cronjob/y", True),
        ("exec a -- reboot", False),
        ("get pods", False),
        ("wait --for=delete pod/a", False),
    ],
)
def test_what_the_server_can_try_without_doing_it(line: str, supported: bool) -> None:
    assert understood(shlex.split(line)).takes_dry_run is supported


def test_flags_of_the_inner_command_choose_no_cluster() -> None:
    assert cluster_flag(("exec", "a", "--", "psql", "--server", "x")) is None
    assert cluster_flag(("get", "pods", "--context=x")) == 2


def test_a_flag_that_swallows_the_dashes_hides_no_command() -> None:
    assert judge_kubectl(("exec", "a", "-c", "--", "df", "--", "rm", "-rf", "/")).risk is Risk.CHANGE
    assert judge_kubectl(("exec", "-i", "a", "-i", "--", "df")).risk is Risk.READ


READ_STEP = "- {id: a, title: x, kubectl: %s}\n"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("§explain pod", "kubectl explain is not built in: use `driver: binary`"),
        ("rollout status deployment/web §--revision=2", "kubectl rollout status --revision is not built in"),
        ("get pods §--watch", "kubectl get --watch is not built in"),
        ("get pods §--context=other", "--context is the site's to say"),
        ("logs x §--tail=many", "--tail takes a whole number"),
    ],
)
def test_the_linter_points_at_what_is_not_built_in(line: str, message: str) -> None:
    expect_at_marks(with_steps(READ_STEP % line), message)


def test_the_linter_lets_the_program_do_the_rest() -> None:
    good(with_steps("- {id: a, title: x, kubectl: {run: explain pod, driver: binary}}\n"))


def test_the_linter_lets_no_line_choose_another_cluster() -> None:
    expect_at_marks(
        with_steps("- {id: a, title: x, kubectl: {run: explain pod §--context=y, driver: binary}}\n"),
        "--context=y is the site's to say",
    )


def test_the_linter_does_not_look_at_values_that_come_later() -> None:
    good(
        with_steps(
            "- {id: a, title: x, kubectl: 'logs p --tail=${{ pod }} --since=${{ pod }}'}\n"
            "- {id: b, title: x, kubectl: 'wait pod/p --for=${{ pod }}'}\n"
        )
    )


def test_standard_input_without_a_reader_is_a_mistake() -> None:
    expect_at_marks(
        with_steps("- {id: a, title: x, kubectl: §{run: exec p -- df, stdin: y}}\n"),
        "the line has no -i",
    )


def test_the_program_cannot_hold_a_pin() -> None:
    expect_at_marks(
        with_steps(
            """\
            - id: delete
              title: Delete the pod
              kubectl: {run: "delete pod ${{ pod }} -n web", driver: binary}
              pin: §{uid: "${{ uid }}"}
              impact: It is gone.
              confirm: {type: "${{ pod }}"}
              verify: {kubectl: get pods -n web -o json, until: result.exit == 0, within: 1m}
            """
        ),
        "the kubectl program cannot hold to a uid",
    )


def test_a_port_forward_leads_to_the_endpoint_of_the_site_that_does_it() -> None:
    refused = understood(["port-forward", "pod/web-1", "8080:80", "-n", "web"]).refused
    assert "Give an endpoint of the site a `forward` to the pod or service" in refused
    assert "binary" not in refused


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("apply -f -", "only server-side apply is built in: write `apply --server-side -f -`"),
        ("apply --server-side", "only server-side apply is built in"),
        ("apply --server-side=false -f -", "only server-side apply is built in"),
        ("apply --server-side -f web.yaml", "files are not read: write `apply --server-side -f -`"),
        ("apply --server-side -f - --prune", "kubectl apply --prune is not built in"),
        ("apply --server-side -f - --force", "kubectl apply --force is not built in"),
        ("apply --server-side -k .", "kubectl apply -k is not built in"),
        ("apply --server-side -f - x", "'x' is one argument too many"),
        ("apply --server-side -f - --dry-run=client", "--dry-run=client does not ask the server"),
    ],
)
def test_what_of_apply_is_not_built_in_is_refused_with_what_to_write(line: str, why: str) -> None:
    command = understood(shlex.split(line))
    assert command.operation is None and why in command.refused


APPLY = "- id: a\n  title: x\n  impact: y\n  confirm: key\n  undo: NONE\n  kubectl: "
VERIFIED = "  verify: {kubectl: get cm a -n web, until: result.exit == 0, within: 10s}\n"
OBJECT = "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: web}, data: {b: c}}"


def test_apply_takes_its_objects_from_the_runbook() -> None:
    good(with_steps(f"{APPLY}{{run: apply --server-side -f -, manifest: {OBJECT}}}\n{VERIFIED}"))
    good(with_steps(f"{APPLY}{{run: apply --server-side -f -, manifest: [{OBJECT}]}}\n{VERIFIED}"))


VALUED = "'${{ site.name }}'"
NO_MANIFEST = "`apply` takes its objects from `manifest`, and no other line has one"


@pytest.mark.parametrize(
    ("action", "why"),
    [
        ("§{run: apply --server-side -f -}", NO_MANIFEST),
        (f"§{{run: rollout restart deploy/a -n web, manifest: {OBJECT}}}", NO_MANIFEST),
        ("§{run: apply --server-side -f -, manifest: {kind: Pod}}", "the manifest has no apiVersion"),
        (
            f"§{{run: apply --server-side -f -, manifest: {OBJECT.replace('ConfigMap', VALUED)}}}",
            "the manifest's kind must stand as it is, so that it can be seen what is applied",
        ),
    ],
)
def test_a_manifest_that_does_not_fit_its_line_is_found(action: str, why: str) -> None:
    expect_at_marks(with_steps(f"{APPLY}{action}\n{VERIFIED}"), why)
