"""Nothing on this machine changes without the operator's word, however a site, a link, the environment or a
value is made; and what was confirmed is what runs."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from breakglass.cli.main import main
from breakglass.engine import commands as c
from breakglass.engine.clock import Clock
from breakglass.engine.gateway import Gateway, Prompts
from breakglass.engine.opening import open_session
from breakglass.engine.session import OpeningError, Request
from breakglass.engine.triage import triage
from breakglass.exit_codes import ExitCode
from breakglass.journal import events as e
from breakglass.journal.state import State
from breakglass.runbook.model import Runbook
from breakglass.site.load import load_site, read_site
from breakglass.yamlio.record import shape_of
from breakglass.yamlio.shape import Unreadable
from breakglass.yamlio.source import compose
from tests.engine.support import events_of, walk

NOBODY = c.Skip("nobody is there", "operator")


@dataclass
class Machine:
    """A folder with a file that must stay, and programs that the test makes."""

    folder: Path
    programs: dict[str, str]
    environment: str = "[]"

    @property
    def victim(self) -> Path:
        return self.folder / "victim"

    def program(self, name: str, body: str) -> Path:
        path = self.folder / "bin" / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
        return path

    @property
    def site(self) -> Path:
        path = self.folder / "site.yaml"
        programs = "".join(f"    {name}: {file}\n" for name, file in self.programs.items())
        path.write_text(
            "site: lab\nproduction: false\n"
            f"local:\n  environment: {self.environment}\n  programs:\n{programs}"
        )
        return path

    def runbook(self, action: str, more: str = "") -> Runbook:
        """A runbook of one step, whatever the check says of it."""
        text = (
            "runbook: feared\ntitle: Look\nsummary: It changes something.\nseverity: sev2\n"
            f"uses: {{programs: [{', '.join(self.programs)}]}}\n"
            "inputs: {value: {default: x}}\n"
            "triage: [{use: look, verdict: {ok: result.exit == 0}}]\n"
            f"steps:\n  - id: look\n    title: Look\n"
            f"    local: {action.replace('VICTIM', str(self.victim))}\n"
            f"    timeout: 20s\n    tolerate: [exit]\n{more}  - {{id: end, title: Done, ends: recovered}}\n"
        )
        path = self.folder / "runbook.yaml"
        path.write_text(text)
        tree = compose(text, path, [])
        assert tree is not None
        given = shape_of(Runbook).read(tree, [])
        assert not isinstance(given, Unreadable)
        return replace(given, path=path, source=text, digest="0" * 64)

    async def walked(
        self,
        runbook: Runbook,
        mode: e.Mode = "live",
        answer: c.Command | Callable[[e.Asked], c.Command] = NOBODY,
        value: str = "x",
    ) -> State:
        request = Request(mode, runbook, site=self.site, inputs={"value": value}, pace="never")
        async with open_session(request) as session:
            return await walk(session.engine, *[answer] * 3)

    async def triaged(self, runbook: Runbook) -> str:
        gateway = Gateway(load_site(self.site), self.folder / "output", Clock(), Prompts())
        try:
            (row,) = await triage(gateway, {"feared": runbook})
        finally:
            await gateway.close()
        return row.findings[0].message if row.findings else row.reason

    async def stays(self, action: str, more: str = "", value: str = "x") -> None:
        """Nothing runs that is feared, in any mode, while nobody says yes."""
        runbook = self.runbook(action, more)
        await self.walked(runbook, "dry-run", value=value)
        await self.walked(runbook, "live", value=value)
        await self.triaged(runbook)
        assert self.victim.read_text() == "still here"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setenv("BREAKGLASS_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("BREAKGLASS_RUNBOOKS", str(tmp_path / "none"))
    (tmp_path / "bin").mkdir()
    (tmp_path / "victim").write_text("still here")
    programs = {name: f"/bin/{name}" for name in ("rm", "ls", "cat", "tee", "sh")}
    return Machine(tmp_path, programs)


def yes(asked: e.Asked) -> c.Command:
    return c.Confirm(asked.typed or "Y", "operator") if asked.question == "confirm" else NOBODY


CHANGES = [
    "[rm, -f, VICTIM]",
    '"rm -f VICTIM"',
    '"ls / && rm -f VICTIM"',
    '"echo gone > VICTIM"',
    '"ls | tee VICTIM"',
    '[sh, -c, "> VICTIM"]',
]


@pytest.mark.parametrize("action", CHANGES)
async def test_a_change_runs_after_a_yes_and_never_before(machine: Machine, action: str) -> None:
    await machine.stays(action)
    state = await machine.walked(machine.runbook(action), "live", yes)
    assert not machine.victim.exists() or machine.victim.read_text() != "still here"
    (asked,) = [each.event for each in state.timeline if isinstance(each.event, e.Asked)][:1]
    assert str(machine.victim) in asked.command
    assert "(this machine)" in asked.where and "@" in asked.where


async def test_a_read_runs_unasked_where_a_dry_run_and_triage_read(machine: Machine) -> None:
    runbook = machine.runbook("cat VICTIM")
    assert await machine.triaged(runbook) == ""
    for mode in ("dry-run", "live"):
        state = await machine.walked(runbook, mode)
        (done,) = [each.event for each in state.timeline if isinstance(each.event, e.ActionFinished)]
        assert (done.exit, done.outcome) == (0, "succeeded")
        assert not events_of(state, e.Asked)


async def test_over_a_list_each_runs_once_after_one_yes_and_none_before(machine: Machine) -> None:
    machine.program("note", f'echo "$1" >> {machine.folder}/noted')
    machine.programs["note"] = f"{machine.folder}/bin/note"
    more = (
        "    foreach: {in: \"['a', 'b', 'c']\", parallel: 2}\n    impact: notes\n"
        "    confirm: {type: note them}\n    verify: {local: [ls, /], until: result.exit == 0, within: 5s}\n"
        "  - {id: never, title: Never, when: 'false', local: [note, never], impact: none, confirm: key,\n"
        "     verify: {local: [ls, /], until: result.exit == 0, within: 5s}}\n"
    )
    runbook = machine.runbook('[note, "${{ item }}"]', more)
    await machine.walked(
        runbook, answer=lambda asked: c.Decline("operator") if asked.question == "confirm" else NOBODY
    )
    assert not (machine.folder / "noted").exists()
    await machine.walked(runbook, answer=yes)
    assert (machine.folder / "noted").read_text().split() == ["a", "b", "c"]


async def test_a_link_to_another_program_is_judged_as_that(machine: Machine) -> None:
    link = machine.folder / "bin" / "ls"
    link.symlink_to("/bin/rm")
    machine.programs["ls"] = str(link)
    await machine.stays("[ls, -f, VICTIM]")
    await machine.stays('"ls -f VICTIM"')
    await machine.stays("[ls, -f, VICTIM]", "    risk: read\n    because: It only looks.\n")


async def test_a_program_of_another_name_is_judged_as_that(machine: Machine) -> None:
    machine.programs["ls"] = "/bin/rm"
    await machine.stays("[ls, -f, VICTIM]")
    await machine.stays('"ls -f VICTIM"')
    machine.programs["ls"] = str(machine.program("wrapper", f"/bin/rm -f {machine.victim}"))
    await machine.stays("[ls, /]")
    await machine.stays('"ls /"')


@pytest.mark.parametrize(
    "action",
    [
        "[env, rm, -f, VICTIM]",
        "[xargs, rm, -f, VICTIM]",
        "[timeout, '5', /bin/rm, -f, VICTIM]",
        '"env rm -f VICTIM"',
        '"/bin/rm -f VICTIM"',
        '"command rm -f VICTIM"',
        '"eval rm -f VICTIM"',
        '"exec rm -f VICTIM"',
        "[/bin/rm, -f, VICTIM]",
        "[../bin/rm, -f, VICTIM]",
    ],
)
async def test_what_the_site_does_not_name_runs_not_even_after_a_yes(machine: Machine, action: str) -> None:
    del machine.programs["rm"]
    machine.programs |= {name: f"/usr/bin/{name}" for name in ("env", "xargs", "timeout")}
    with pytest.raises(OpeningError, match=r"rm|eval|exec|command"):
        await machine.walked(machine.runbook(action), "live", yes)
    await machine.triaged(machine.runbook(action))
    assert machine.victim.exists()


async def test_a_wrapper_that_the_site_names_asks_for_what_it_hands_on(machine: Machine) -> None:
    machine.programs |= {name: f"/usr/bin/{name}" for name in ("env", "timeout")}
    await machine.stays("[env, rm, -f, VICTIM]")
    await machine.stays("[timeout, '5', env, rm, -f, VICTIM]")
    await machine.walked(machine.runbook("[timeout, '5', env, rm, -f, VICTIM]"), "live", yes)
    assert not machine.victim.exists()


async def test_path_leads_to_no_other_program(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ls", "cat", "sh"):
        machine.program(name, f"/bin/rm -f {machine.victim}")
    machine.environment = "[PATH]"
    monkeypatch.setenv("PATH", f"{machine.folder}/bin:.:/usr/bin:/bin")
    for action in ("[ls, /]", '"ls / | cat"', "\"'ls' /\""):
        await machine.walked(machine.runbook(action), "live", yes)
    assert machine.victim.exists()


@pytest.mark.parametrize("name", ["LD_PRELOAD", "LD_AUDIT", "BASH_ENV", "ENV", "PYTHONSTARTUP", "PERL5OPT"])
def test_a_site_passes_on_no_variable_that_loads_code(machine: Machine, name: str) -> None:
    machine.environment = f"[HOME, {name}]"
    site, problems = read_site(machine.site.read_text(), machine.site)
    assert site is None
    (problem,) = problems
    assert name in problem.message and problem.position.line == 4


VALUES = [
    "a b",
    "--help",
    "-f",
    "x\ny",
    "; rm -f VICTIM",
    "$(rm -f VICTIM)",
    "`rm -f VICTIM`",
    "' ; rm -f VICTIM ; '",
    "|",
]


@pytest.mark.parametrize("value", VALUES)
async def test_a_value_reaches_a_program_as_a_value_or_not_at_all(machine: Machine, value: str) -> None:
    machine.programs["shows"] = str(machine.program("shows", """printf '<%s>' "$@" """))
    value = value.replace("VICTIM", str(machine.victim))
    for action in ("[shows, '${{ inputs.value }}', end]", "'shows ${{ inputs.value }} end'"):
        runbook = machine.runbook(action, "    risk: read\n    because: It only prints.\n")
        state = await machine.walked(runbook, value=value)
        finished = [each.event for each in state.timeline if isinstance(each.event, e.ActionFinished)]
        said = [each.head for each in finished]
        assert said == ([] if value.startswith("-") else [f"<{value}><end>"])
    assert machine.victim.exists()


async def test_a_program_replaced_between_the_yes_and_the_run_is_not_run(machine: Machine) -> None:
    tool = machine.program("tool", "echo harmless")
    machine.programs["tool"] = str(tool)

    def replacing(asked: e.Asked) -> c.Command:
        machine.program("tool", f"/bin/rm -f {machine.victim}")
        return yes(asked)

    state = await machine.walked(machine.runbook("[tool]"), "live", replacing)
    (done,) = [each.event for each in state.timeline if isinstance(each.event, e.ActionFinished)]
    assert done.outcome == "not-sent" and "is not the file any more" in done.message
    assert machine.victim.exists()


async def test_a_program_that_others_may_write_is_not_run(machine: Machine) -> None:
    tool = machine.program("tool", "echo harmless")
    tool.chmod(0o777)
    machine.programs["tool"] = str(tool)
    state = await machine.walked(machine.runbook("[tool]"), "live", yes)
    assert not [
        each
        for each in state.timeline
        if isinstance(each.event, e.ActionFinished | e.Asked) and "confirm" in str(each.event)
    ]
    assert any("chmod go-w" in str(each.event) for each in state.timeline)


@pytest.mark.parametrize(
    "command",
    [
        ["run", "RUNBOOK", "--site", "SITE", "--dry-run"],
        ["run", "RUNBOOK", "--site", "SITE", "--json"],
        ["exec", "--site", "SITE", "local", "rm", "-f", "VICTIM"],
        ["exec", "--site", "SITE", "local", "--", "rm", "-f", "VICTIM"],
        ["exec", "--site", "SITE", "--dry-run", "local", "rm", "-f", "VICTIM"],
    ],
)
def test_nothing_runs_from_the_command_line_unasked(
    machine: Machine, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    path = machine.runbook("[rm, -f, VICTIM]").path
    given = {"RUNBOOK": str(path), "SITE": str(machine.site), "VICTIM": str(machine.victim)}
    code = main([given.get(word, word) for word in command])
    assert machine.victim.exists()
    dry = "exec" in command and "--dry-run" in command
    assert (code == ExitCode.DONE) == dry, capsys.readouterr()


def test_a_read_runs_headless_and_its_output_is_in_the_journal(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    text = machine.runbook("cat VICTIM").source
    path = machine.folder / "runbook.yaml"
    path.write_text(
        text.replace(f"[{', '.join(machine.programs)}]", "[cat]").replace(
            "inputs: {value: {default: x}}\n", ""
        )
    )
    assert main(["run", str(path), "--site", str(machine.site), "--json"]) == ExitCode.DONE
    said = capsys.readouterr().out
    assert '"kind": "local"' in said and '"head": "still here"' in said
