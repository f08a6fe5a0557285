"""`python -m tools.mutants`: makes small wrong changes, has the tests judge them, and says what survived.

Ends with 1 where fewer than 95 % were killed, and with 2 where the tests fail without a change."""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence

from tools.mutants import judges
from tools.mutants.judges import ROOT, TARGETS, Target
from tools.mutants.run import BrokenTestsError, Mutant, Verdict, judged, mutants

KEPT = ROOT / ".cache" / "mutants.jsonl"
LEAST = 95.0
"""Percent that must be killed."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.mutants", description=__doc__)
    parser.add_argument("--share", type=float, default=100, help="percent of the changes, a fixed sample")
    parser.add_argument("--target", choices=[each.name for each in TARGETS], action="append")
    parser.add_argument("--file", default="", help="only files whose path holds this")
    parser.add_argument("--only", default="", help="only changes whose name holds this")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--list", action="store_true", help="name the changes, and make none")
    given = parser.parse_args()
    verdicts: list[Verdict] = []
    KEPT.parent.mkdir(exist_ok=True)
    for target in TARGETS:
        if given.target and target.name not in given.target:
            continue
        for file in (each for each in judges.files(target) if given.file in each):
            found = mutants(file, given.share, given.only)
            if given.list:
                print("\n".join(each.name for each in found))
                continue
            try:
                verdicts += _told(target, file, found, given.jobs)
            except BrokenTestsError as error:
                print(f"the tests fail without a change: {error}", file=sys.stderr)
                return 2
    return 0 if given.list else _summed(verdicts)


def _told(target: Target, file: str, found: Sequence[Mutant], jobs: int) -> list[Verdict]:
    """The verdicts on the changes of one file; each survivor is said at once, and all are kept."""
    judges.preload(target)
    verdicts: list[Verdict] = []
    start = time.monotonic()
    with KEPT.open("a") as kept:
        for verdict in judged(target, file, found, jobs):
            verdicts.append(verdict)
            kept.write(json.dumps([verdict.name, verdict.killed_by, round(verdict.seconds, 2)]) + "\n")
            kept.flush()
            if not verdict.killed_by:
                print(f"  SURVIVED {verdict.name}", flush=True)
    killed = sum(bool(each.killed_by) for each in verdicts)
    print(f"{file}: {killed} of {len(verdicts)} killed, {time.monotonic() - start:.0f} s", flush=True)
    return verdicts


def _summed(verdicts: Sequence[Verdict]) -> int:
    if not verdicts:
        print("no changes")
        return 0
    killed = sum(bool(each.killed_by) for each in verdicts)
    share = 100 * killed / len(verdicts)
    print(f"{killed} of {len(verdicts)} killed: {share:.1f} %")
    by = Counter(each.killed_by.partition(":")[0] for each in verdicts if each.killed_by)
    for name, count in by.most_common(8):
        print(f"  {count:5} by {name}")
    return 0 if share >= LEAST else 1


if __name__ == "__main__":
    sys.exit(main())
