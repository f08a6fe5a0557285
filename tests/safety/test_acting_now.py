"""The moment of acting, through the real kubectl transport and a simulated API server: what was diagnosed is
what is acted on, what held must hold now, and what the server says is seen before anything is typed."""

import unicodedata
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest

from breakglass.cli.plain import answer_confirmation
from breakglass.cli.terminal_input import TerminalInput
from breakglass.engine import commands as c
from breakglass.engine.opening import open_session
from breakglass.engine.session import Request
from breakglass.engine.walk import Engine
from breakglass.errors import CommandRefusedError
from breakglass.journal import events as e
from breakglass.journal.state import State
from breakglass.kubernetes_objects import Object, uid_of
from breakglass.simulator.kubernetes.access import ADMIN, RbacRule, User
from breakglass.simulator.kubernetes.hooks import Denial, ExecAnswer
from breakglass.simulator.kubernetes.objects import copied, put
from breakglass.tui.dialogs.confirm_lines import confirmation_lines, match_words
from breakglass.tui.screens.walk.card import Subject, card_lines
from breakglass.tui.theme import Appearance
from tests.engine.support import events_of, walk
from tests.simulator.kubernetes.conftest import Start
from tests.simulator.kubernetes.conftest import start as start
from tests.simulator.kubernetes.support import Cluster, TestHooks, pod
from tests.support.arrived import Arrived, arrivals, is_harmless

RUNBOOK = """\
runbook: acting
title: Purge
summary: The tmpfs of a pod is full.
severity: sev2
uses: {clusters: [main]}
steps:
  - id: pod
    title: Find the pod
    kubectl: get pod front -n web -o json
    capture: {uid: result.json.metadata.uid}
  - id: full
    title: Is it full?
    kubectl: exec -n web front -- df -k /dev/shm
    capture: {used: "result.text.df()[0].use_percent"}
    expect: [{that: used >= 95, else: "Only ${{ used }} %."}]
  - id: purge
    title: Delete the pod
    kubectl: delete pod front -n web --wait=false
    pin: {uid: "${{ uid }}"}
    needs: [full]
    impact: Logins are lost.
    confirm: {type: TYPED}
    verify: {kubectl: get pods -n web -o json, until: "size(result.json.items) == 0", every: 1s, within: 2s}
"""
READER = User(
    "reader",
    rules=(RbacRule(("get", "list", "watch"), ("*",)), RbacRule(("create", "get"), ("pods/exec",))),
)


def df(percent: int) -> ExecAnswer:
    text = f"Filesystem 1K-blocks Used Available Use% Mounted on\nshm 65536 1 1 {percent}% /dev/shm\n"
    return ExecAnswer(stdout=text.encode())


@dataclass(frozen=True, slots=True)
class Incident:
    cluster: Cluster
    engine: Engine
    arrived: Arrived

    @property
    def pod(self) -> Object:
        (found,) = self.cluster.store.peek("Pod", "web")
        return found

    @property
    def changes(self) -> list[str]:
        return [str(each) for each in self.arrived.api if not is_harmless(each)]

    def replace_the_pod(self) -> None:
        """Somebody deletes the pod, and another with its name comes and is running at once."""
        store = self.cluster.store
        kind = store.kinds.find("", "pods")
        assert kind is not None
        other = copied(self.pod)
        put(other, "another-uid", "metadata", "uid")
        store.remove(kind, "web", "front")
        store.load([other])

    def fill(self, percent: int) -> None:
        self.cluster.hooks.answers["df"] = df(percent)

    def at(self, step: str, then: Callable[[], None]) -> None:
        """Let something happen when a step has ended."""

        def told(recorded: object, state: State) -> None:
            last = state.timeline[-1].event
            if isinstance(last, e.StepFinished) and last.step == step:
                then()

        self.engine.subscribe(told)

    def on_screen(self, step: str) -> str:
        """What the card of a step shows, on one line."""
        runbook, state = self.engine.runbook, self.engine.state
        subject = Subject(runbook.step(step), 3, 3, state, state.steps[step].last)
        return " ".join(" ".join(line.plain for line in card_lines(subject, 110, Appearance())).split())


class Acting(Protocol):
    """Opens a session on an incident."""

    def __call__(
        self, *, typed: str = "front", user: User = ADMIN, denial: str = ""
    ) -> AbstractAsyncContextManager[Incident]: ...


@pytest.fixture
def acting(start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Acting:
    monkeypatch.setenv("BREAKGLASS_STATE", str(tmp_path / "state"))

    @asynccontextmanager
    async def begin(
        *, typed: str = "front", user: User = ADMIN, denial: str = ""
    ) -> AsyncGenerator[Incident]:
        hooks = TestHooks(answers={"df": df(100)}, denials={"front": Denial(denial)} if denial else {})
        with arrivals() as arrived:
            cluster = await start(pod("front", "front", "node1"), hooks=hooks, users=(user,))
            site, runbook = tmp_path / "site.yaml", tmp_path / "runbook.yaml"
            kubeconfig = cluster.server.kubeconfig
            site.write_text(
                f"site: lab\nproduction: true\nclusters: {{main: {{kubeconfig: {kubeconfig}}}}}\n"
            )
            runbook.write_text(RUNBOOK.replace("TYPED", f'"{typed}"'))
            request = Request(mode="live", runbook=runbook, site=site, pace="never")
            async with open_session(request) as session:
                yield Incident(cluster, session.engine, arrived)
            assert arrived.api, "the record is kept"

    return begin


def says(state: State) -> str:
    last = state.steps["purge"].last
    return last.say if last is not None else ""


def asked_in(state: State) -> list[e.Asked]:
    return [
        each for each in events_of(state, e.Asked) if isinstance(each, e.Asked) and each.question == "confirm"
    ]


YES = c.Confirm("front", "oncall")


async def test_what_was_diagnosed_and_confirmed_is_deleted_once_with_its_uid(acting: Acting) -> None:
    async with acting() as incident:
        uid = uid_of(incident.pod)
        await walk(incident.engine, YES)
        (sent,) = incident.changes
        assert sent.startswith("DELETE /api/v1/namespaces/web/pods/front")
        assert uid in sent


async def test_a_pod_that_was_replaced_after_the_diagnosis_is_not_deleted(acting: Acting) -> None:
    async with acting() as incident:
        before = uid_of(incident.pod)
        incident.at("full", incident.replace_the_pod)
        state = await walk(incident.engine)
        assert "refused, nothing sent: front was replaced" in says(state)
        assert not asked_in(state), "nobody is asked"
        assert incident.changes == []
        shown = incident.on_screen("purge")
        assert before in shown
        assert uid_of(incident.pod) in shown


async def test_a_pod_that_is_replaced_while_the_dialog_is_open_is_refused_by_the_server(
    acting: Acting,
) -> None:
    async with acting() as incident:

        def confirm(asked: e.Asked) -> c.Command:
            incident.replace_the_pod()
            return YES

        state = await walk(incident.engine, confirm)
        assert "refused by the far side, nothing changed" in says(state)
        assert len(incident.changes) == 1
        assert uid_of(incident.pod)
        assert "deletionTimestamp" not in str(incident.pod)


async def test_a_need_that_no_longer_holds_refuses_with_then_and_now_on_screen(acting: Acting) -> None:
    async with acting() as incident:
        incident.at("full", lambda: incident.fill(3))
        state = await walk(incident.engine)
        assert "refused, nothing sent: full no longer holds: Only 3 %." in says(state)
        assert not asked_in(state)
        assert incident.changes == []
        shown = incident.on_screen("purge")
        assert "DOES NOT HOLD" in shown
        assert "used = 3 (it was: used = 100)" in shown


async def test_a_need_that_stops_holding_while_the_dialog_is_open_refuses_after_the_word(
    acting: Acting,
) -> None:
    async with acting() as incident:

        def confirm(asked: e.Asked) -> c.Command:
            incident.fill(3)
            return YES

        state = await walk(incident.engine, confirm)
        assert "refused after the confirmation, nothing sent" in says(state)
        assert incident.changes == []


@pytest.mark.parametrize(
    ("user", "denial", "words"),
    [
        (ADMIN, "no deletions in an incident", "no deletions in an incident"),
        (READER, "", 'cannot delete resource "pods"'),
    ],
    ids=["admission", "permissions"],
)
async def test_the_servers_no_is_seen_before_anything_is_typed(
    acting: Acting, user: User, denial: str, words: str
) -> None:
    async with acting(user=user, denial=denial) as incident:
        state = await walk(incident.engine)
        (asked,) = asked_in(state)
        assert asked.server_says.startswith("dry run refused")
        assert words in asked.server_says
        drawn = "".join(line.plain for line in confirmation_lines(asked, state, 400, Appearance()))
        assert words in drawn
        heard = Heard()
        await answer_confirmation(asked, state, heard, "oncall")
        assert words in heard.words[: heard.words.index("Type front")]
        assert incident.changes == []


class Heard(TerminalInput):
    """Lines in plain mode; nothing is typed."""

    def __init__(self) -> None:
        self.words = ""

    def say(self, text: str) -> None:
        self.words += f"{text}\n"

    @property
    def at_a_terminal(self) -> bool:
        return True

    async def quiet(self) -> None:
        return None

    async def ask(self, prompt: str) -> str:
        self.words += prompt
        return ""


TYPED = "delete café-front"
ALIKE = {
    "cyrillic": TYPED.replace("a", "\u0430"),
    "greek": TYPED.replace("o", "\u03bf"),
    "full width": TYPED.replace("d", "\uff44", 1),
    "decomposed": unicodedata.normalize("NFD", TYPED),
    "zero width": TYPED.replace("f", "f\u200b"),
    "soft hyphen": TYPED.replace("-", "\u00ad-"),
    "other hyphen": TYPED.replace("-", "\u2010"),
    "no-break space": TYPED.replace(" ", "\u00a0"),
    "two spaces": TYPED.replace(" ", "  "),
    "case": TYPED.capitalize(),
    "blank behind": f"{TYPED} ",
    "newline behind": f"{TYPED}\n",
    "a part": TYPED[:-1],
    "nothing": "",
    "the key for a change": "Y",
    "the step": "purge",
    "NUL behind": f"{TYPED}\0",
}


@pytest.mark.parametrize("typed", ALIKE.values(), ids=ALIKE)
async def test_what_only_looks_like_the_text_does_not_confirm(acting: Acting, typed: str) -> None:
    assert typed != TYPED
    assert not match_words(typed, TYPED).startswith("matches")
    async with acting(typed=TYPED) as incident:
        with pytest.raises(CommandRefusedError, match="Nothing sent"):
            await walk(incident.engine, c.Confirm(typed, "oncall"))
        assert not events_of(incident.engine.state, e.Confirmed)
        assert incident.changes == []


async def test_the_exact_text_confirms(acting: Acting) -> None:
    async with acting(typed=TYPED) as incident:
        await walk(incident.engine, c.Confirm(TYPED, "oncall"))
        assert len(incident.changes) == 1
