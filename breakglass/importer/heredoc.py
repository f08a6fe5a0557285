"""A command that is given lines to read, as pages write it: `cat <<EOF | kubectl apply -f -`."""

import re
from dataclasses import dataclass
from typing import cast

import yaml

_HEREDOC = re.compile(
    r"^(?P<head>[^\n]*?)<<-?[ \t]*(?P<quote>['\"]?)(?P<word>\w+)(?P=quote)(?P<tail>[^\n]*)\n"
    r"(?P<body>.*?)\n?[ \t]*(?P=word)\s*$",
    re.DOTALL,
)
_APPLIED = re.compile(
    r"(?:kubectl|oc)(?P<before>(?:\s+-n\s+\S+)?)\s+(?:apply|create|replace)(?P<after>(?:\s+-n\s+\S+)?)\s+-f\s*-"
    r"(?P<last>(?:\s+-n\s+\S+)?)"
)


@dataclass(frozen=True, slots=True)
class Heredoc:
    """head: the command that reads. body: the lines. quoted: no shell looks into them; literal: one that did
    would find nothing."""

    head: str
    body: str
    quoted: bool

    @property
    def literal(self) -> bool:
        return self.quoted or not {"$", "`", "\\"} & set(self.body)


def heredoc_of(text: str) -> Heredoc | None:
    """The here-document that a text is, where nothing else is on its lines."""
    found = _HEREDOC.match(text)
    if found is None:
        return None
    head, tail = found["head"].strip(), found["tail"].strip()
    if tail.startswith("|") and head in ("cat", ""):
        head, tail = tail.removeprefix("|").strip(), ""
    return None if tail else Heredoc(head, found["body"], bool(found["quote"]))


def applied_objects(here: Heredoc) -> tuple[str, object] | None:
    """The flags and the objects of a here-document that kubectl applies; None for any other."""
    found = _APPLIED.fullmatch(here.head)
    objects = _objects(here.body) if found is not None and here.literal else None
    if found is None or objects is None:
        return None
    return f"{found['before']}{found['after']}{found['last']}".strip(), objects


def _objects(body: str) -> object:
    """The Kubernetes objects that YAML holds; None where it holds something else."""
    try:
        found: list[object] = [each for each in yaml.safe_load_all(body) if each is not None]
    except (yaml.YAMLError, ValueError, RecursionError):
        return None
    if not found or not all(_is_object(each) for each in found):
        return None
    return found[0] if len(found) == 1 else found


def _is_object(value: object) -> bool:
    return isinstance(value, dict) and {"apiVersion", "kind", "metadata"} <= set(
        cast("dict[object, object]", value)
    )
