"""A draft as YAML. Lines of the page whose words no value holds stand as comments before their step, so that
nothing of the page is lost and each step can be held against it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from breakglass.importer.as_yaml import as_yaml
from breakglass.importer.sentences import WayOn
from breakglass.importer.units import Keys, Unit

_FIRST = ("id", "title", "phase", "why")

_NO_TEXT = re.compile(r"\s*>*\s*(?:`{3,}[\w{}.+-]*.*|~{3,}.*|[-*_=+|:\s]*)\s*")
"""Lines of Markdown that hold no words: fences, rules, the line under a table's head."""

_MARKS = re.compile(r"^(?:[#>*+-]+\s+)+|\s+#+$")

REFUSED = re.compile("[^\t\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


@dataclass(slots=True)
class DraftStep:
    """One step of a draft. keys: in the order in which they are written. line: of the page, from 1."""

    keys: Keys
    line: int
    end: int = 0
    unit: Unit | None = None
    ways: tuple[WayOn, ...] = ()


def draft_text(head: Keys, steps: Sequence[DraftStep], page: str) -> tuple[str, list[int]]:
    """The text of a draft, and the line on which each step begins."""
    blocks = [as_yaml([_in_order(step.keys)]) for step in steps]
    kept = _squeezed("".join([as_yaml(head), *blocks]))
    comments = _comments(page, steps, kept)
    text = as_yaml(head) + "\nsteps:\n"
    starts = list[int]()
    for block, lines in zip(blocks, comments, strict=True):
        starts.append(text.count("\n") + 1)
        text += "".join(f"  # {line}\n" for line in lines)
        text += "".join(f"  {line}\n" if line else "\n" for line in block.rstrip("\n").split("\n")) + "\n"
    return text.rstrip("\n") + "\n", starts


def _in_order(keys: Keys) -> Keys:
    first = {key: keys[key] for key in _FIRST if key in keys}
    return first | {key: value for key, value in keys.items() if key not in first}


def _comments(page: str, steps: Sequence[DraftStep], kept: str) -> list[list[str]]:
    """For each step, the lines of the page that are found nowhere in the values of the draft."""
    found: list[list[str]] = [[] for _ in steps]
    at = 0
    for number, line in enumerate(page.replace("\r\n", "\n").replace("\r", "\n").split("\n"), 1):
        while at + 1 < len(steps) and (
            steps[at + 1].line <= number or number > max(steps[at].end, steps[at].line)
        ):
            at += 1
        words = REFUSED.sub("\ufffd", line).strip()
        if not words or _NO_TEXT.fullmatch(line) or _squeezed(_MARKS.sub("", words)) in kept:
            continue
        found[at].append(f"{number}: {words}")
    return found


def _squeezed(text: str) -> str:
    return " ".join(text.split())
