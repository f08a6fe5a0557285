"""What a page's sentences say of a step: what must be seen, and where to go on."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z`*\"])|\n{2,}|\n(?=\s*(?:[-*+]|\d+[.)])\s)")
_EXPECTS = re.compile(
    r"\bshould (?:(?:now|then|only|all|not|also) )?"
    r"(?:show|be|see|return|say|display|print|contain|list|report|look|have|read|give|answer|include)"
    r"|\bexpect(?:ed|ation|s)?\b|\b(?:output|result) (?:is|shows?|must|contains?)"
    r"|\bmust (?:not )?(?:show|be|return|say|print|list|contain|read)",
    re.IGNORECASE,
)
_LITERAL = re.compile(r"`([^`\n]{1,80})`|\"([^\"\n]{1,80})\"|“([^”\n]{1,80})”|\*\*([^*\n]{1,60})\*\*")
_NOTHING = re.compile(
    r"\b(?:no output|nothing|(?:be|is) empty|empty (?:output|list)|not (?:show|print|return|list) any)\b",
    re.IGNORECASE,
)
_NEGATED = re.compile(
    r"\b(?:should|must) (?:not|no longer|never)|\bnot (?:show|contain|be)\b|\bno longer\b", re.IGNORECASE
)
_LAST_WORD = re.compile(
    r"(?:should|must) (?:be|show|say|read|print|return|give) ([\w./-]+)[.!]?$"
    r"|^expect(?:ed|s)?(?: output| result)?: (\S{1,40})$",
    re.IGNORECASE,
)
_OR = re.compile(r"`\s*(?:,|/|or)\s*`|\bor\b", re.IGNORECASE)
_GOES = re.compile(
    r"\b(?:if|when|in case|otherwise|should)\b(?P<when>.{0,200}?),?\s+(?:(?:then|please|you can|directly) )*"
    r"(?:go|jump|skip|proceed|continue|move on|return|carry on|follow|see)\b"
    r"(?:\s+(?:back|on|straight|ahead|directly))*\s*(?:to|with|at|from|in)?\s+(?P<target>.+)",
    re.IGNORECASE | re.DOTALL,
)
_LINK = re.compile(r"\[([^\]]+)\]\(#([^)\s]+)\)")
_NUMBER = re.compile(r"\bstep\s+(\d+)\b", re.IGNORECASE)
_UNSTEADY = re.compile(r"\d\d(?!\d\b)|\d+[dhms]\b|\d[.:]\d|\.\.\.|…|[<{]|error|fail|warn", re.IGNORECASE)
"""What differs from one time to the next, or is no good sign."""

_ONLY_LINKS = re.compile(
    r"(?:\s*(?:[*-]\s*)?(?:(?:see|read|more|docs?|also)\b.{0,80})?\[[^\]]*\]\([^)]*\).{0,40}\s*)+",
    re.IGNORECASE,
)
_SHOWS = re.compile(
    r"\b(?:expected|output|result|prints?|returns?|looks? like|similar to|for example|example)\b[^.]*:$",
    re.IGNORECASE,
)
_CALM = re.compile(r"\s+")
_MARKER = re.compile(r"^\s*(?:(?:[-*+]|\d+[.)])\s+(?:\[[ xX]\]\s+)?)+")


@dataclass(frozen=True, slots=True)
class Seen:
    """An expectation. that: its condition in CEL, empty where a person must write it."""

    means: str
    that: str = ""


@dataclass(frozen=True, slots=True)
class WayOn:
    """One sentence that sends the reader elsewhere. anchor, number and words: what it names."""

    says: str
    anchor: str = ""
    number: int = 0
    words: str = ""


def sentences(text: str) -> list[str]:
    """The sentences of prose, without the markers of lists."""
    found = (_CALM.sub(" ", _MARKER.sub("", each)).strip() for each in _SENTENCE.split(text))
    return [each for each in found if each]


def expectations(text: str) -> list[Seen]:
    """What the sentences say that must be seen."""
    return [
        _seen(each)
        for each in sentences(text)
        if _EXPECTS.search(each) and len(each) < 300 and not _GOES.search(each)
    ]


def _seen(sentence: str) -> Seen:
    if _NOTHING.search(sentence):
        return Seen(sentence, "result.text.trim() == ''")
    after = sentence[_EXPECTS.search(sentence).start() :] if _EXPECTS.search(sentence) else sentence  # pyright: ignore[reportOptionalMemberAccess]
    literals = [next(filter(None, found.groups())) for found in _LITERAL.finditer(after)]
    literals = [
        each
        for each in literals
        if not re.match(r"(?:kubectl|oc|ssh|sudo|curl|systemctl|journalctl)\s", each)
    ]
    if not literals and (word := _LAST_WORD.search(sentence)):
        literals = [next(filter(None, word.groups()))]
    if not literals or len(literals) > 4:
        return Seen(sentence)
    joined = " || " if _OR.search(after) else " && "
    tests = [f"result.text.contains({cel_string(each)})" for each in literals]
    test = joined.join(tests)
    return Seen(sentence, f"!({test})" if _NEGATED.search(sentence) else test)


def shown(lines: Sequence[str]) -> Seen | None:
    """An expectation from output that a page shows, where that is one steady line."""
    kept = [line.strip() for line in lines if line.strip()]
    if len(kept) != 1 or not 3 <= len(kept[0]) <= 60 or _UNSTEADY.search(kept[0]):
        return None
    return Seen(f"It prints {kept[0]}", f"result.text.contains({cel_string(kept[0])})")


def ways_on(text: str) -> Iterator[WayOn]:
    """The sentences that say: if this, go there."""
    for sentence in (part for each in sentences(text) for part in re.split(r",?\s+(?=otherwise\b)", each)):
        found = _GOES.search(sentence)
        if found is None:
            continue
        target = found["target"]
        if link := _LINK.search(target):
            yield WayOn(sentence, anchor=link[2].lower(), words=link[1])
        elif number := _NUMBER.search(target):
            yield WayOn(sentence, number=int(number[1]))
        elif words := re.search(
            r"[`\"“*_]+([^`\"”*_]{3,60})[`\"”*_]+|(?:section|phase)\s+([\w ,-]{3,60})", target
        ):
            yield WayOn(sentence, words=(words[1] or words[2]).strip())
        elif re.match(r"(?:the )?[\w -]{4,60}[.!]?$", target):
            yield WayOn(sentence, words=target.strip(" .!"))


def only_links(text: str) -> bool:
    """Whether a text only says what else there is to read."""
    return len(text) < 600 and all(_ONLY_LINKS.fullmatch(line) for line in text.split("\n") if line.strip())


def announces_output(text: str) -> bool:
    """Whether a text says that what stands behind it is what the command above prints."""
    return _SHOWS.search(text.strip().rsplit("\n\n", 1)[-1]) is not None


def cel_string(text: str) -> str:
    """A text as a string of CEL."""
    kept = "".join(each if each.isprintable() else " " for each in text)
    return "'" + kept.replace("\\", "\\\\").replace("'", "\\'") + "'"


def slug(text: str) -> str:
    """The anchor that a heading has on the sites where such pages stand."""
    return re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", text.lower()).strip())
