"""However much the far side says, the program stays small: one line of 10 MB, a million short lines."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

from breakglass.simulator.kubernetes.hooks import LogAnswer
from tests.safety.hostile import PROGRAM, hostile_answer, hostile_place, obeyed_in
from tests.support.peak import run_measured

RUNBOOK = """\
runbook: much
title: Ask for too much
summary: Everybody says more than anybody reads.
severity: sev2
uses: {clusters: [main], hosts: [box], endpoints: [app]}
steps:
  - id: over-ssh
    title: A long line
    ssh: {host: box, run: "head -c 10000000 /dev/zero | tr '\\\\0' x; echo >&2 the end"}
    capture: {said: result.text}
    expect: [{that: "said.size() > 4000000", else: "${{ said }}"}]
  - id: lines
    title: Many lines
    ssh: {host: box, run: "seq 1000000"}
    expect: [{that: "result.text.contains('99999')", else: "${{ result.text }}"}]
  - id: over-http
    title: A long body
    http: {get: app}
    expect: [{that: "result.text == ''", else: "It is not empty: ${{ result.text }}"}]
  - id: log
    title: A long log
    kubectl: logs -n web front
"""
LARGEST = 450 * 1024
"""KiB of memory, all of the program. Values of 4 MiB in expressions cost most of it."""


async def test_what_is_too_much_is_bounded_on_the_way_and_whole_on_disk(tmp_path: Path) -> None:
    body = b"y" * 10_000_000
    async with hostile_place(tmp_path / "place", RUNBOOK, http=hostile_answer("200 OK", body)) as place:
        place.hooks.log = LogAnswer(["z" * 10_000_000, "the last line"])
        words = ["run", str(place.runbook), "--site", str(place.site), "--json"]
        ran, largest = await measured(place.environment, *words)
        rows = [json.loads(line) for line in ran.decode().splitlines()]
        finished = {row["data"]["step"]: row["data"] for row in rows if row["type"] == "action.finished"}
        assert finished["over-ssh"]["output_bytes"] == 10_000_008
        assert finished["lines"]["output_lines"] == 1_000_000
        assert finished["over-http"]["output_bytes"] == 10_000_000
        assert 0 < largest < LARGEST
        told = [line for line, row in zip(ran.splitlines(), rows, strict=True) if row["type"] != "captured"]
        assert max(map(len, told)) < 20_000, "no event is large but one that keeps a value"
        assert not obeyed_in(ran.decode())
        for path in (place.folder / "state").rglob("journal.jsonl"):
            assert path.stat().st_size < 5_000_000


async def measured(environment: dict[str, str], *words: str) -> tuple[bytes, int]:
    """What the program prints, and its largest size in KiB."""
    return await asyncio.to_thread(_measured, environment, words)


def _measured(environment: dict[str, str], words: tuple[str, ...]) -> tuple[bytes, int]:
    said, _, largest = run_measured(
        sys.executable, PROGRAM, words, environment=environment, stderr=subprocess.DEVNULL
    )
    return said, largest
