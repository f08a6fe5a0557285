"""`python -m tools.mutants`: makes small wrong changes, has the tests judge them, and says what survived.

Ends with 1 where fewer than 95 % of a group were found, and with 2 where the tests fail without a change."""

import argparse
import json
import sys
from collections.abc import Sequence
from itertools import groupby

from tools.mutants import judges
from tools.mutants.judges import ROOT, TARGETS, BrokenTestsError, Target
from tools.mutants.run import TOO_LONG, Mutant, Verdict, judged, mutants, observed, sample

KEPT = ROOT / ".cache" / "mutants.jsonl"
LEAST = 95.0
"""Percent of each group that must be found."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.mutants", description=__doc__)
    parser.add_argument("--sample", type=int, default=10**9, help="changes of each group; all by default")
    parser.add_argument("--seed", default="", help="another text gives another sample")
    parser.add_argument("--group", choices=[each.name for each in TARGETS], action="append")
    parser.add_argument("--file", default="", help="only files whose path holds this")
    parser.add_argument("--only", default="", help="only changes whose name holds this")
    parser.add_argument("--again", action="store_true", help="only changes that survived when last made")
    parser.add_argument("--list", action="store_true", help="name the changes, and make none")
    given = parser.parse_args()
    KEPT.parent.mkdir(exist_ok=True)
    survived = _survived() if given.again else None
    told: list[tuple[str, list[Verdict]]] = []
    for target in TARGETS:
        if given.group and target.name not in given.group:
            continue
        files = [each for each in judges.files(target) if given.file in each]
        found = [each for file in files for each in mutants(file) if given.only in each.name]
        found = [each for each in found if survived is None or each.name in survived]
        drawn = sample(found, given.sample, given.seed)
        if given.list:
            print("\n".join(each.name for each in drawn))
        elif drawn:
            try:
                told.append((f"{target.name}, {len(found)} changes", _judged(target, drawn)))
            except BrokenTestsError as error:
                print(f"the tests fail without a change: {error}", file=sys.stderr)
                return 2
    return max((_summed(*each) for each in told), default=0)


def _survived() -> set[str]:
    """The names of the changes that no test found when they were last made."""
    lines = KEPT.read_text().splitlines() if KEPT.exists() else []
    last: dict[str, str] = {name: killed_by for name, killed_by, _ in map(json.loads, lines)}
    return {name for name, killed_by in last.items() if not killed_by}


def _judged(target: Target, drawn: Sequence[Mutant]) -> list[Verdict]:
    """The verdicts on the changes of one group; each survivor is said at once, and all are kept."""
    judges.preload(target)
    seen = observed(target)
    verdicts: list[Verdict] = []
    with KEPT.open("a") as kept:
        for file, changes in groupby(sorted(drawn, key=lambda each: each.file), key=lambda each: each.file):
            for verdict in judged(target, seen[file], list(changes)):
                verdicts.append(verdict)
                kept.write(json.dumps([verdict.name, verdict.killed_by, round(verdict.seconds, 2)]) + "\n")
                kept.flush()
                if not verdict.killed_by:
                    print(f"  SURVIVED {verdict.name}", flush=True)
    return verdicts


def _summed(group: str, verdicts: Sequence[Verdict]) -> int:
    found = sum(bool(each.killed_by) for each in verdicts)
    late = sum(each.killed_by == TOO_LONG for each in verdicts)
    share = 100 * found / len(verdicts)
    print(f"{group}: {len(verdicts)} made, {found} found, {share:.1f} % ({late} by taking too long)")
    return 0 if share >= LEAST else 1


if __name__ == "__main__":
    sys.exit(main())
