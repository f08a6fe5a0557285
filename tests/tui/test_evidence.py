"""The line that decided: found, brought into view, and marked."""

from dataclasses import replace
from pathlib import Path

import pytest

from breakglass.journal import events as e
from breakglass.runbook.expression import Expression
from breakglass.runbook.steps import Expectation
from breakglass.tui.evidence import Evidence, find_evidence
from breakglass.tui.output_lines import FixedLines, Viewport
from tests.tui.support import AS, POD, ToldSession, begun, drawn, staged

LOG = [f"level=info msg=request number=n{number}" for number in range(200)]
LOG[150] = f"level=error {'x' * 200} no space left on device: /dev/shm/session"


def ended(folder: Path, output: list[str], used: int = 100) -> ToldSession:
    session = begun(folder)
    (folder / "log").write_text("\n".join(output) + "\n")
    session.tell(
        e.StepStarted("shm", 1),
        e.ActionPrepared("shm", 1, "kubectl", "kubectl exec -- df", AS, "read", 10.0),
        e.ActionFinished("shm", 1, "succeeded", 0.4, exit=0, output="log", output_lines=len(output)),
        e.Captured("shm", 1, {"used": used}),
        e.Judged("shm", 1, "used >= 95", True, {"used": used}),
        e.StepFinished("shm", 1, "ok", goto="purge"),
    )
    return session


def test_the_words_that_a_condition_looks_for_decide_before_the_values(tmp_path: Path) -> None:
    session = ended(tmp_path, LOG)
    plain, attempt = session.runbook.step("shm"), session.state.steps["shm"].last
    assert attempt is not None
    full = Expectation(Expression("result.text.contains('no space left on device')", plain.position))
    step = replace(plain, expect=(full,))
    assert find_evidence(step, attempt, FixedLines(["used 100 %", *LOG])) == Evidence(
        151, "no space left on device"
    )


def test_without_such_words_the_line_with_the_value_is_the_evidence(tmp_path: Path) -> None:
    session = ended(tmp_path, [])
    attempt = session.state.steps["shm"].last
    assert attempt is not None
    lines = FixedLines(["Size 1000", f"pod {POD}", "shm 65536 65536 0 100% /dev/shm"])
    assert find_evidence(session.runbook.step("shm"), attempt, lines) == Evidence(2, "100")
    assert find_evidence(session.runbook.step("shm"), attempt, FixedLines(["nothing", "1000"])) is None


def test_evidence_far_to_the_right_is_brought_into_view_where_lines_are_not_wrapped() -> None:
    view = Viewport()
    view.show(FixedLines(LOG), follow=False)
    view.to_part(150, "no space left on device")
    shown = next(row.text for row in view.rows() if row.line == 150)
    assert "no space left on device" in shown


@pytest.mark.parametrize("size", [(120, 40), (80, 24)])
async def test_the_output_opens_at_the_line_that_decided(tmp_path: Path, size: tuple[int, int]) -> None:
    lines = [*LOG, f"shm {'.' * 150} 100%", *LOG]
    app = staged(ended(tmp_path, lines))
    async with app.run_test(size=size) as pilot:
        for _ in range(100):
            if "line 201 decided" in await drawn(app, pilot):
                break
        assert "100%" in await drawn(app, pilot)
        await pilot.press("o", "g")
        assert "number=n0" in await drawn(app, pilot)
