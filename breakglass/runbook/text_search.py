"""Search over the library: typing narrows it, an error line pasted from a log finds its runbook.

A runbook is searched through its phrases: name, title, symptoms, alerts, what it affects, summary. Typing
wants every word to begin some word of the runbook. A pasted line is the other way round: most of its words
are of no interest, and what counts is how much of a phrase it holds. Words that many runbooks have count for
little.
"""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from breakglass.runbook.model import Runbook

PHRASE_WEIGHTS = {"name": 3.0, "symptom": 2.5, "alert": 2.5, "title": 2.0, "affects": 1.0, "summary": 0.8}
HELD_ENOUGH = 0.4
"""A phrase is found in a pasted line when the line has this much of its weight."""

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_]+|\d+")


@dataclass(frozen=True, slots=True)
class Match:
    """A runbook that was found, and the phrase that found it best: its kind, and its text as written."""

    runbook: Runbook
    score: float
    kind: str = ""
    phrase: str = ""


@dataclass(frozen=True, slots=True)
class _Phrase:
    kind: str
    text: str
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Index:
    """The library, made ready for searching. Build it once with `index`."""

    entries: tuple[tuple[Runbook, tuple[_Phrase, ...]], ...]
    weights: dict[str, float]
    """How much a word tells: more, the fewer runbooks have it."""

    def search(self, query: str) -> list[Match]:
        """The runbooks that fit, best first; all of them, in their order, for a query without a word."""
        wanted = words(query)
        if not wanted:
            return [Match(runbook, 0.0) for runbook, _ in self.entries]
        matches = [
            max(found, key=lambda match: match.score)
            for runbook, phrases in self.entries
            if (found := [*self._typed(runbook, phrases, wanted), *self._pasted(runbook, phrases, wanted)])
        ]
        return sorted(matches, key=lambda match: -match.score)

    def _typed(self, runbook: Runbook, phrases: Sequence[_Phrase], wanted: Sequence[str]) -> Iterable[Match]:
        """A match when every word that was typed begins some word of the runbook."""
        every = {word for phrase in phrases for word in phrase.words}
        if not all(any(word.startswith(typed) for word in every) for typed in wanted):
            return
        for phrase in phrases:
            held = [t for t in wanted if any(word.startswith(t) for word in phrase.words)]
            if held:
                yield Match(
                    runbook,
                    PHRASE_WEIGHTS[phrase.kind] * len(held) / len(wanted),
                    phrase.kind,
                    phrase.text,
                )

    def _pasted(self, runbook: Runbook, phrases: Sequence[_Phrase], wanted: Sequence[str]) -> Iterable[Match]:
        """A match for each symptom, alert and name of which the line holds enough; whole ones count most."""
        line = f" {' '.join(wanted)} "
        there = set(wanted)
        for phrase in phrases:
            if phrase.kind not in ("name", "symptom", "alert") or not phrase.words:
                continue
            if f" {' '.join(phrase.words)} " in line:
                yield Match(runbook, 10 + self._weight(phrase.words), phrase.kind, phrase.text)
                continue
            held = [word for word in phrase.words if word in there]
            whole = self._weight(phrase.words)
            share = self._weight(held) / whole
            if share >= HELD_ENOUGH and len(held) > 1:
                yield Match(runbook, share * min(whole, 5.0), phrase.kind, phrase.text)

    def _weight(self, some: Iterable[str]) -> float:
        return sum(self.weights[word] for word in some)


def index(runbooks: Iterable[Runbook]) -> Index:
    """The runbooks made ready for searching; results without a query keep their order."""
    entries = tuple((runbook, tuple(_phrases(runbook))) for runbook in runbooks)
    counts: dict[str, int] = {}
    for _, phrases in entries:
        for word in {word for phrase in phrases for word in phrase.words}:
            counts[word] = counts.get(word, 0) + 1
    weights = {word: math.log(1 + len(entries) / count) for word, count in counts.items()}
    return Index(entries, weights)


def words(text: str) -> tuple[str, ...]:
    """The words and numbers of a text in lower case; `VaultRaftLeader503` is four of them."""
    return tuple(found.lower() for found in _WORD.findall(text))


def _phrases(runbook: Runbook) -> Iterable[_Phrase]:
    texts = {
        "name": (runbook.name,),
        "title": (runbook.title,),
        "symptom": runbook.symptoms,
        "alert": runbook.alerts,
        "affects": runbook.affected,
        "summary": (runbook.summary,),
    }
    for kind, some in texts.items():
        yield from (_Phrase(kind, text, words(text)) for text in some)
