"""The top of a draft: its name, how the incident is recognised, its alerts and its inputs."""

import re
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from pathlib import PurePath

from breakglass.importer.units import Keys
from breakglass.importer.values import Values

_ALERT = re.compile(r"[A-Za-z]+(?:[A-Z][a-z0-9]+|[A-Z]{2,})+[A-Za-z0-9]*|[A-Z][a-z]+(?:_[A-Z][A-Za-z]+)+")
_NAMED = re.compile(r"\balert(?:name)?\s*[:=]\s*[`\"'*]*([A-Z][A-Za-z0-9_]{5,80})", re.IGNORECASE)
_BEGINS_A_TEXT = re.compile(r"[A-Za-z`*]|\[(?!\[)")


def head_of(name: str, title: str, prose: Sequence[str], alerts: Sequence[str]) -> Keys:
    """The keys that stand before `uses`."""
    texts = (each for each in prose if _BEGINS_A_TEXT.match(each) and not each.endswith(":"))
    first = " ".join(plain(next(texts, "")).split())
    summary = re.split(r"(?<=[.!?])\s", first, maxsplit=1)[0][:240].strip()
    head: Keys = {
        "runbook": name,
        "title": title,
        "summary": summary or "TODO: say how to recognise the incident, in a sentence",
        "severity": "sev3",
        "owner": "TODO: say who keeps this right, and set the severity",
    }
    return {**head, "alerts": list(alerts)} if alerts else head


def inputs_of(values: Values, used: AbstractSet[str]) -> dict[str, Keys]:
    """The inputs that a step uses, and those that the page gives a value."""
    inputs: dict[str, Keys] = {}
    for name, value in values.inputs.items():
        if name not in used and not value.default and not value.help:
            continue
        given: Keys = {"default": value.default} if value.default else {}
        unused = "The page sets it, and no step uses it" if name not in used else f"TODO: say what {name} is"
        inputs[name] = {"type": "string", **given, "help": value.help or unused}
    return inputs


def alerts_of(names: Iterable[str], text: str) -> list[str]:
    """The alerts that lead to a page: what its title or its file is called, and what it names so."""
    found = [each for each in names if _ALERT.fullmatch(each)][:1]
    return list(dict.fromkeys([*found, *filter(_ALERT.fullmatch, _NAMED.findall(text))]))[:12]


def plain(text: str) -> str:
    """Text without the marks of Markdown, and without that of a list."""
    return re.sub(r"^\s*(?:(?:[-*+#>]|\d+[.)])\s+)+", "", without_marks(text)).strip()


def without_marks(text: str) -> str:
    """Text without the marks of Markdown that stand within it."""
    return re.sub(r"\*\*|__|`", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)).strip()


def short(text: str) -> str:
    """Text on one line, short enough for a title."""
    line = " ".join(text.split())
    return line if len(line) <= 72 else f"{line[:70].rstrip()} …"


def runbook_name(stem: str, title: str) -> str:
    """The name of a draft: the file's, in lower case with dashes, or the title's."""
    for text in (PurePath(stem).name, title):
        words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", text)
        name = re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")[:60].strip("-")
        if name and name not in ("readme", "index", "runbook"):
            return name
    return "draft"
