"""The word that a change wants: a text that names something, the number of a list, and two people who are
two."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakglass.engine import commands as c
from breakglass.engine.confirmation import person
from breakglass.errors import CommandRefusedError
from breakglass.journal import events as e
from breakglass.report.markdown import markdown
from breakglass.report.postmortem import post_mortem
from breakglass.report.timeline import timeline
from breakglass.transport.base import Delivery
from tests.engine.support import FarSide, confirm, events_of, fault, ok, session_of, walk

NAMED = """
- id: look
  title: Find it
  ssh: {host: pve, run: [cat, /etc/hostname]}
  capture: {name: result.json.name}
- id: remove
  title: Remove it
  ssh: {host: pve, run: [rm, -f, /tmp/victim]}
  confirm: {type: "TYPED"}
  impact: It is gone.
  verify: {ssh: {host: pve, run: [ls, /tmp/victim]}, until: result.exit == 2, every: 1s, within: 4s}
"""
GONE = ok("", exit_status=2)


def named(text: str, typed: str = "${{ name }}") -> tuple[str, FarSide]:
    answers = {"ssh pve cat": ok(json.dumps({"name": text})), "ssh pve rm": ok(), "ssh pve ls": GONE}
    return NAMED.replace("TYPED", typed), FarSide(answers)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "\u200b\u200b\u200b\u200b",
        "\u2800\u2800\u2800\u2800",
        "\u3164",
        "\u00a0\u2003",
        "\u202e\u202c",
    ],
)
@pytest.mark.parametrize("typed", ["${{ name }}", "${{ name }}@${{ site.name }}", "rm ${{ name }} now"])
async def test_a_name_that_is_blank_is_refused_before_anybody_is_asked(
    tmp_path: Path, text: str, typed: str
) -> None:
    steps, far = named(text, typed)
    engine, _ = session_of(tmp_path, steps, far)
    state = await walk(engine)
    say = state.steps["remove"].attempts[0].say
    assert "not sent" in say and "name is empty" in say
    assert not [each for each in events_of(state, e.Asked) if isinstance(each, e.Asked) and each.typed]
    assert far.commands == ["ssh pve cat /etc/hostname"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        *(("a", "shorter than 4"), ("db1", "shorter than 4"), ("a\u200bb\u200bc\u200bd", "cannot be typed")),
        ("web\u00a0zero", "cannot be typed"),
    ],
)
async def test_a_name_that_says_too_little_or_cannot_be_typed_is_refused(
    tmp_path: Path, text: str, why: str
) -> None:
    steps, far = named(text)
    engine, _ = session_of(tmp_path, steps, far)
    state = await walk(engine)
    assert why in state.steps["remove"].attempts[0].say
    assert not any("rm" in line for line in far.commands)


async def test_a_dry_run_finds_the_blank_name_too(tmp_path: Path) -> None:
    steps, far = named("")
    engine, _ = session_of(tmp_path, steps, far, mode="dry-run")
    state = await walk(engine)
    assert "name is empty" in state.steps["remove"].attempts[0].say


# ---------------------------------------------------------------------- lists
EACH = """
- id: reboot
  title: Reboot the sick nodes
  ssh: {host: "${{ item }}", run: [reboot]}
  foreach: {in: LIST}
  risk: destructive
  impact: They are gone for a minute.
  CONFIRM
  verify: {ssh: {host: pve, run: [uptime]}, until: "true", every: 1s, within: 2s}
- id: after
  title: Look
  ssh: {host: node1, run: [uptime]}
"""
ANSWERS = {"ssh pve reboot": ok(), "ssh node1 reboot": ok(), "ssh pve uptime": ok(), "ssh node1 uptime": ok()}


def each(over: str, confirms: str = "confirm: {type: all@lab}") -> str:
    return EACH.replace("LIST", over).replace("CONFIRM", confirms)


async def asked_for(folder: Path, steps: str) -> e.Asked:
    engine, _ = session_of(folder, steps, ANSWERS)
    asked: list[e.Asked] = []

    def look(question: e.Asked) -> c.Command:
        asked.append(question)
        return c.Decline("operator")

    await walk(engine, look)
    return asked[0]


async def test_every_object_of_a_list_is_named_with_what_runs_and_where(tmp_path: Path) -> None:
    asked = await asked_for(tmp_path, each("\"['pve', 'node1']\""))
    assert asked.each == [
        {"command": "reboot", "where": "pve (127.0.0.1)"},
        {"command": "reboot", "where": "node1 (127.0.0.1)"},
    ]
    assert asked.where == "pve (127.0.0.1); node1 (127.0.0.1)"


@pytest.mark.parametrize(
    ("over", "confirms", "typed"),
    [
        ("\"['pve', 'node1']\"", "confirm: {type: all@lab}", "2 on all@lab"),
        ("\"['pve']\"", "confirm: {type: all@lab}", "1 on all@lab"),
        ("\"['pve', 'node1']\"", "confirm: {type: 2 nodes}", "2 nodes"),
        ("\"['pve', 'node1']\"", "confirm: {type: 3 nodes}", "2 on 3 nodes"),
        ("\"['pve', 'node1']\"", "confirm: {type: 20 nodes}", "2 on 20 nodes"),
        ("\"['pve', 'node1']\"", "confirm: {type: node-2}", "2 on node-2"),
    ],
)
async def test_the_text_to_type_for_a_list_begins_with_its_number(
    tmp_path: Path, over: str, confirms: str, typed: str
) -> None:
    assert (await asked_for(tmp_path, each(over, confirms))).typed == typed


@pytest.mark.parametrize(
    ("over", "typed"), [("\"['pve', 'node1']\"", "2 on test"), ("\"['pve']\"", "")], ids=["several", "one"]
)
async def test_several_changes_never_take_one_key(tmp_path: Path, over: str, typed: str) -> None:
    steps = (
        each(over, "confirm: key").replace("risk: destructive", "risk: change").replace("[reboot]", "[tool]")
    )
    assert (await asked_for(tmp_path, steps)).typed == typed


async def test_a_change_over_an_empty_list_is_nothing_to_do(tmp_path: Path) -> None:
    engine, far = session_of(tmp_path, each("\"site.variables.nodes.filter(n, n == 'none')\""), ANSWERS)
    state = await walk(engine)
    assert state.steps["reboot"].status == "nothing-to-do"
    told = [each.event for each in state.timeline if getattr(each.event, "step", "") == "reboot"]
    assert [each.type for each in told] == ["step.started", "step.finished"]
    assert state.steps["after"].status == "ok", "the walk goes on"
    assert far.commands == ["ssh node1 uptime"]
    (said,) = [entry.text for entry in timeline(state) if entry.step == "reboot"]
    assert said == "nothing to do: site.variables.nodes.filter(n, n == 'none') is empty, so nothing was sent"
    report = markdown(post_mortem(state, engine.runbook, "0"))
    assert "Nothing was changed." in report and "done and verified" not in report


async def test_a_list_that_is_empty_now_does_not_hide_what_may_have_happened(tmp_path: Path) -> None:
    steps = (
        "- id: look\n  title: Which?\n  ssh: {host: pve, run: [cat, /sick]}\n"
        "  capture: {sick: result.text.lines()}\n"
        + each("sick").strip().replace('until: "true"', "until: result.text == 'up'")
    )
    lost = fault("disconnected", "lost", Delivery.UNKNOWN)
    answers = {
        **ANSWERS,
        "ssh pve cat": [ok("node1\n"), ok("")],
        "ssh node1 reboot": lost,
    }
    engine, _ = session_of(tmp_path, steps, answers)
    back = c.Jump("look", "look again", "operator")
    state = await walk(engine, confirm, back, c.Retry("operator"))
    assert state.steps["reboot"].attempts[0].state == "unknown"
    assert state.unknown == 1


# ---------------------------------------------------------------------- two people
SECOND = ["", " ", "\u200b", "\u3164", "\u2800\u00ad"]
SAME = [
    "operator",
    "Operator",
    "OPERATOR ",
    " oper ator",
    "operator\u200b",
    "\uff4fperator",
    "ＯＰＥＲＡＴＯＲ",
]


@pytest.mark.parametrize("name", [*SECOND, *SAME])
async def test_an_empty_name_and_another_spelling_of_the_first_are_no_second_person(
    tmp_path: Path, name: str
) -> None:
    steps, far = named("victim")
    engine, _ = session_of(tmp_path, steps + "  approve: 2\n", far)

    def second(asked: e.Asked) -> c.Command:
        with pytest.raises(CommandRefusedError):
            engine.command(c.Confirm(asked.typed, name))
        assert engine.state.approvals == ("operator",)
        return c.Decline("operator")

    await walk(engine, confirm, second)
    assert "ssh pve rm -f /tmp/victim" not in far.commands


async def test_a_first_person_without_a_name_is_refused(tmp_path: Path) -> None:
    steps, far = named("victim")
    engine, _ = session_of(tmp_path, steps, far)

    def nobody(asked: e.Asked) -> c.Command:
        with pytest.raises(CommandRefusedError, match="the name is empty"):
            engine.command(c.Confirm(asked.typed, " "))
        return c.Decline("operator")

    await walk(engine, nobody)
    assert "ssh pve rm -f /tmp/victim" not in far.commands


async def test_a_second_name_alone_is_on_record_as_not_proven(tmp_path: Path) -> None:
    steps, far = named("victim")
    engine, _ = session_of(tmp_path, steps + "  approve: 2\n", far)

    def wrong(asked: e.Asked) -> c.Command:
        with pytest.raises(CommandRefusedError):
            engine.command(c.Confirm(asked.typed[:-1], "deputy"))
        return c.Confirm(asked.typed, "deputy")

    state = await walk(engine, confirm, wrong)
    assert far.commands.count("ssh pve rm -f /tmp/victim") == 1
    words = [x for x in events_of(state, e.Confirmed) if isinstance(x, e.Confirmed)]
    assert [(x.by, x.proof) for x in words] == [("operator", ""), ("deputy", "none")]
    assert "deputy confirmed by typing 'victim'; not proven to be another person" in markdown(
        post_mortem(state, engine.runbook, "0")
    )


@given(st.text(min_size=1))
def test_case_and_blanks_make_no_other_person(name: str) -> None:
    assert person(f" {name}\u200b\t") == person(name)
    assert person(name) == person(person(name))
