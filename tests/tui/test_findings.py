"""What was found so far stays in view: pinned by the room there is, and whole on a key."""

from pathlib import Path

import pytest

from breakglass.journal import events as e
from breakglass.report.findings import findings
from tests.tui.support import POD, before_the_purge, drawn, staged

FOUND = [f"One outpost pod is running ({POD})", "/dev/shm is full (100 %)"]


def test_each_answered_question_is_one_sentence_the_newest_last(tmp_path: Path) -> None:
    found = findings(before_the_purge(tmp_path).state)
    assert [(each.step, each.state, each.text) for each in found] == [
        ("pod", "ok", FOUND[0]),
        ("shm", "ok", FOUND[1]),
    ]


def test_what_failed_is_a_finding_and_what_was_skipped_is_none(tmp_path: Path) -> None:
    session = before_the_purge(tmp_path)
    say = "/dev/shm is at 12 %, so this is not the cause."
    session.tell(
        e.StepStarted("shm", 2),
        e.Judged("shm", 2, "used >= 95", False, {"used": 12}, say),
        e.StepFinished("shm", 2, "failed", say),
    )
    assert [(each.step, each.state) for each in findings(session.state)] == [("pod", "ok"), ("shm", "failed")]
    assert findings(session.state)[-1].text == say
    session.tell(e.Decided("shm", "skip", "oncall", "not needed"))
    assert [each.step for each in findings(session.state)] == ["pod"]


@pytest.mark.parametrize(
    ("size", "pinned"),
    [((180, 45), FOUND[1:]), ((120, 40), FOUND), ((80, 24), FOUND[:1]), ((60, 20), [])],
)
async def test_findings_are_pinned_by_the_room_there_is(
    tmp_path: Path, size: tuple[int, int], pinned: list[str]
) -> None:
    app = staged(before_the_purge(tmp_path))
    async with app.run_test(size=size) as pilot:
        text = await drawn(app, pilot)
        heading = "FINDINGS" if size[0] >= 110 else "FOUND"
        assert (heading in text) == bool(pinned)
        assert all(each in text for each in pinned)
        assert ("uid = 5f1c" in text) == (size[0] >= 160)
        await pilot.press("i")
        text = await drawn(app, pilot)
        assert "Z pod One outpost pod is running" in text
        assert f"Z shm {FOUND[1]}" in text
        await pilot.press("i")
        assert "Z pod One outpost" not in await drawn(app, pilot)
