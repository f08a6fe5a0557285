"""Resuming holds the runbook and the site: where either is not as it was, what differs is shown before
anything is reached, and nobody but a person accepts it."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from aiohttp import web

from breakglass.cli.main import main
from breakglass.engine import commands as c
from breakglass.engine.opening import open_session
from breakglass.engine.session import OpeningError, Request, Session
from breakglass.errors import CommandRefusedError
from breakglass.exit_codes import ExitCode
from breakglass.journal import events as e
from breakglass.journal.folders import all_sessions
from breakglass.journal.state import Recorded, State, fold
from breakglass.journal.store import FILE_NAME, open_journal, read
from tests.transport.http_support import serving

RUNBOOK = """\
runbook: held
title: An example
summary: Something is wrong.
severity: sev2
uses: {endpoints: [app]}
steps:
  - id: read
    title: Look
    http: {get: app, path: /x}
  - id: change
    title: Delete it
    http: {delete: app, path: /thing}
    impact: It is gone.
    undo: NONE
    confirm: {type: thing}
    verify: {http: {get: app, path: /x}, until: "result.status == 200", every: 1s, within: 2s}
"""
SITE = "site: lab\nproduction: false\nendpoints: {{app: {{url: 'http://127.0.0.1:{port}'}}}}\n"
STOP = c.Stop("somebody calls", "operator")


@dataclass
class App:
    """A server that notes what reaches it."""

    requests: list[str] = field(default_factory=list[str])

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        self.requests.append(request.method)
        return web.json_response({})


@dataclass
class World:
    """A runbook and a site on disk, and two servers that the site may name."""

    folder: Path
    ports: tuple[int, int]
    here: App
    there: App

    @property
    def site(self) -> Path:
        return self.folder / "site.yaml"

    @property
    def runbook(self) -> Path:
        return self.folder / "held" / "runbook.yaml"

    def lead_elsewhere(self) -> None:
        self.site.write_text(SITE.format(port=self.ports[1]))

    async def walk(self, *replies: c.Command, resume: bool = False) -> State:
        """Walk; each question takes the next reply, and after the last the walk is stopped."""
        request = Request(resume="last") if resume else Request("live", self.runbook, self.site, pace="never")
        async with open_session(request) as session:
            return await answered(session, list(replies))

    @property
    def journal(self) -> Path:
        (folder,) = all_sessions(self.folder / "state")
        return folder.path / FILE_NAME


async def answered(session: Session, replies: list[c.Command]) -> State:
    engine = session.engine

    def told(recorded: Recorded, _: State) -> None:
        if isinstance(recorded.event, e.Asked):
            reply = replies.pop(0) if replies else STOP
            asyncio.get_running_loop().call_soon(engine.command, reply)

    engine.subscribe(told)
    await engine.run()
    return engine.state


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[World]:
    monkeypatch.setenv("BREAKGLASS_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("BREAKGLASS_OPERATOR", "operator")
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "held").mkdir()
    here, there = App(), App()
    async with serving(here) as one, serving(there) as other:
        made = World(tmp_path, (one, other), here, there)
        made.runbook.write_text(RUNBOOK)
        made.site.write_text(SITE.format(port=one))
        yield made


ACCEPT = c.Confirm("accept", "operator")
WORD = c.Confirm("thing", "operator")
RETRY = c.Retry("operator")


def asked(state: State) -> list[e.Asked]:
    """The questions since the session was resumed."""
    events = [each.event for each in state.timeline]
    at = max(i for i, event in enumerate(events) if isinstance(event, e.SessionResumed))
    return [event for event in events[at:] if isinstance(event, e.Asked)]


async def test_where_nothing_has_changed_nothing_is_asked(world: World) -> None:
    await world.walk()
    state = await world.walk(resume=True)
    assert [each.question for each in asked(state)] == ["decide"]


async def test_a_site_whose_names_lead_elsewhere_is_shown_before_anything_is_reached(world: World) -> None:
    await world.walk()
    world.lead_elsewhere()
    state = await world.walk(c.Decline("operator"), resume=True)
    (question,) = asked(state)
    assert question.question == "accept" and question.text == "the site is not as it was"
    assert f"-endpoints: {{app: {{url: 'http://127.0.0.1:{world.ports[0]}'}}}}" in question.command
    assert f"+endpoints: {{app: {{url: 'http://127.0.0.1:{world.ports[1]}'}}}}" in question.command
    assert state.ended is not None and state.ended.result == "stopped"
    assert world.there.requests == []


async def test_what_was_accepted_is_held_from_then_on(world: World) -> None:
    await world.walk()
    world.lead_elsewhere()
    await world.walk(ACCEPT, resume=True)
    state = await world.walk(resume=True)
    assert [each.question for each in asked(state)] == ["decide"]


async def test_what_was_declined_is_asked_again(world: World) -> None:
    await world.walk()
    world.lead_elsewhere()
    await world.walk(c.Decline("operator"), resume=True)
    state = await world.walk(resume=True)
    assert [each.question for each in asked(state)] == ["accept"]


async def test_accepted_every_word_is_asked_anew(world: World) -> None:
    await world.walk()
    world.lead_elsewhere()
    state = await world.walk(ACCEPT, RETRY, WORD, resume=True)
    assert [each.question for each in asked(state)] == ["accept", "decide", "confirm"]
    assert world.here.requests.count("DELETE") == 0
    assert world.there.requests.count("DELETE") == 1


async def test_a_change_that_was_confirmed_and_not_sent_is_asked_about_again(world: World) -> None:
    request = Request("live", world.runbook, world.site, pace="never")
    async with open_session(request) as session:

        def told(recorded: Recorded, _: State) -> None:
            if isinstance(recorded.event, e.Asked):
                asyncio.get_running_loop().call_soon(session.engine.command, WORD)
            elif isinstance(recorded.event, e.Confirmed):
                raise asyncio.CancelledError

        session.engine.subscribe(told)
        running = asyncio.ensure_future(session.engine.run())
        while not any(isinstance(each.event, e.Confirmed) for each in session.engine.state.timeline):
            await asyncio.sleep(0)
        running.cancel()
        await asyncio.wait({running})
    world.lead_elsewhere()
    state = await world.walk(ACCEPT, resume=True)
    assert [each.question for each in asked(state)] == ["accept", "confirm"]
    assert "DELETE" not in world.here.requests + world.there.requests


@pytest.mark.parametrize("typed", ["", "Y", "accep", "Accept", "accept ", "lab"])
async def test_only_the_exact_text_accepts(world: World, typed: str) -> None:
    await world.walk()
    world.lead_elsewhere()
    async with open_session(Request(resume="last")) as session:
        refused: list[str] = []

        def told(recorded: Recorded, _: State) -> None:
            if isinstance(recorded.event, e.Asked):
                asyncio.get_running_loop().call_soon(press)

        def press() -> None:
            for command in (c.Confirm(typed, "operator"), c.Jump("change", "on", "operator")):
                try:
                    session.engine.command(command)
                except CommandRefusedError as error:
                    refused.append(str(error))
            session.engine.command(STOP)

        session.engine.subscribe(told)
        await session.engine.run()
        assert len(refused) == 2
        assert not any(isinstance(each.event, e.Accepted) for each in session.engine.state.timeline)


async def test_a_changed_runbook_is_shown_and_accepted(world: World) -> None:
    await world.walk()
    world.runbook.write_text(RUNBOOK.replace("/thing", "/other"))
    state = await world.walk(ACCEPT, resume=True)
    question = asked(state)[0]
    assert question.text == "the runbook is not as it was"
    assert "-    http: {delete: app, path: /thing}" in question.command
    assert "+    http: {delete: app, path: /other}" in question.command


async def test_a_runbook_without_the_step_it_stopped_at_is_refused(world: World) -> None:
    await world.walk()
    world.runbook.write_text(RUNBOOK.replace("id: change", "id: other"))
    with pytest.raises(OpeningError, match="has no step change any more; put the old text back"):
        await world.walk(resume=True)


async def test_a_site_that_calls_itself_production_is_shown_as_that(world: World) -> None:
    await world.walk()
    text = world.site.read_text()
    world.site.write_text(text.replace("site: lab", "site: prod").replace("false", "true"))
    state = await world.walk(ACCEPT, resume=True)
    assert (state.site, state.production) == ("prod", True)


async def test_a_journal_without_the_sites_digest_counts_as_differing(world: World) -> None:
    await world.walk()
    folder = world.journal.parent
    begun, *others = (each.event for each in read(world.journal).records)
    assert isinstance(begun, e.SessionStarted)
    world.journal.unlink()
    old = open_journal(folder, create=True)
    for event in (replace(begun, site_digest=""), *others):
        old.append(event)
    old.close()
    state = await world.walk(resume=True)
    assert "it is not known whether it is the same" in asked(state)[0].command


async def test_a_kept_text_that_is_not_what_was_recorded_shows_nothing(world: World) -> None:
    await world.walk()
    for kept in (world.journal.parent / "held").iterdir():
        kept.write_text("something else")
    world.lead_elsewhere()
    state = await world.walk(resume=True)
    assert "what it was is not kept" in asked(state)[0].command


KUBECONFIG = """\
apiVersion: v1
current-context: {context}
clusters:
- {{name: one, cluster: {{server: "https://10.0.0.1:6443"}}}}
- {{name: two, cluster: {{server: "https://10.9.9.9:6443"}}}}
contexts:
- {{name: one, context: {{cluster: one, user: ops}}}}
- {{name: two, context: {{cluster: two, user: ops}}}}
users:
- {{name: ops, user: {{token: "{token}"}}}}
"""


@pytest.mark.parametrize(("context", "token", "questions"), [("two", "a", 1), ("one", "renewed", 0)])
async def test_a_kubeconfig_counts_by_where_it_leads_and_never_by_its_secrets(
    world: World, context: str, token: str, questions: int
) -> None:
    config = world.folder / "kubeconfig"
    config.write_text(KUBECONFIG.format(context="one", token="a"))
    world.site.write_text(world.site.read_text() + "clusters: {main: {kubeconfig: kubeconfig}}\n")
    await world.walk()
    config.write_text(KUBECONFIG.format(context=context, token=token))
    state = await world.walk(resume=True)
    accepts = [each for each in asked(state) if each.question == "accept"]
    assert len(accepts) == questions
    if accepts:
        assert "+server: https://10.9.9.9:6443" in accepts[0].command
    kept = "".join(each.read_text() for each in (world.journal.parent / "held").iterdir())
    assert "token" not in kept and "renewed" not in kept


async def test_the_ssh_configuration_counts_with_what_it_includes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("breakglass.transport.ssh.config_file.home", lambda: world.folder)
    (world.folder / ".ssh").mkdir(mode=0o700)
    (world.folder / ".ssh" / "config").write_text("Include more\n")
    more = world.folder / ".ssh" / "more"
    more.write_text("Host pve\n  HostName 10.0.0.1\n")
    world.site.write_text(world.site.read_text() + "hosts: {pve: {address: pve}}\n")
    await world.walk()
    more.write_text("Host pve\n  HostName 10.9.9.9\n")
    state = await world.walk(resume=True)
    assert "-hostname 10.0.0.1" in asked(state)[0].command
    assert "+hostname 10.9.9.9" in asked(state)[0].command


async def test_what_is_kept_is_its_owners(world: World) -> None:
    await world.walk()
    held = world.journal.parent / "held"
    assert held.stat().st_mode & 0o777 == 0o700
    assert {each.stat().st_mode & 0o777 for each in held.iterdir()} == {0o600}


@pytest.mark.parametrize("words", [["resume", "last"], ["resume", "last", "--plain"]])
async def test_without_a_terminal_it_ends_with_five_and_says_what_differs(
    world: World, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    await world.walk()
    world.lead_elsewhere()
    code = await asyncio.to_thread(main_there, words)
    said = capsys.readouterr()
    assert code == ExitCode.STOPPED
    assert f"127.0.0.1:{world.ports[1]}" in said.out
    assert "the site is not as it was" in said.out
    assert world.there.requests == []
    state = fold(read(world.journal).records)
    assert not any(isinstance(each.event, e.Accepted) for each in state.timeline)


def main_there(words: list[str]) -> int:
    """The program in a thread, where no signal handler can be set."""
    from contextlib import nullcontext
    from unittest.mock import patch

    def quiet(engine: object) -> object:
        return nullcontext()

    with (
        patch("breakglass.cli.headless.ending_on_signals", quiet),
        patch("breakglass.cli.plain.ending_on_signals", quiet),
    ):
        return main(words)
