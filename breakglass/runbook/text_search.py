"""Search over the library: a few words, with a typo in one of them, find their runbook; so does an error line
pasted from a log.

A runbook is searched through its phrases: name, title, symptoms, alerts, what it affects, summary, and what
its steps are called and say. Of words that were typed any may be missing; what counts is how many there are,
how well they fit, and in what kind of phrase. A pasted line is the other way round: most of its words are of
no interest, and what counts is how much of a phrase it holds. Words that many runbooks have count for little.
"""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from breakglass.runbook.model import Runbook
from breakglass.runbook.steps import Step

PHRASE_WEIGHTS = {
    "name": 3.0,
    "symptom": 2.5,
    "alert": 2.5,
    "title": 2.0,
    "affects": 1.5,
    "summary": 1.5,
    "step": 0.5,
}
HELD_ENOUGH = 0.4
"""A phrase is found in a pasted line when the line has this much of its weight."""

WHOLE, BEGUN, MISTYPED = 1.0, 0.8, 0.6
"""How much a typed word counts that is a word, begins one, or is nearly one."""

LIKE_ENOUGH = 0.79
SHORTEST_MISTYPED = 4
"""How like a word one must be, and how many letters it must have, to be a typo of it."""

NEAR_THE_BEST = 0.3
"""What has less than this share of the best one's score is not shown, unless it has every word."""

_STATUS = re.compile("[45][0-9]{2}")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_]+|\d+")


@dataclass(frozen=True, slots=True)
class Match:
    """A runbook that was found, and the phrase that found it best: its kind, and its text as written."""

    runbook: Runbook
    score: float
    kind: str = ""
    phrase: str = ""
    every: bool = False
    """Whether every word that was typed is in it."""


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
        meant = [self._meant(typed) for typed in wanted]
        matches: list[Match] = []
        for runbook, phrases in self.entries:
            found = [*self._typed(runbook, phrases, meant), *self._pasted(runbook, phrases, wanted)]
            if found:
                matches.append(max(found, key=lambda match: match.score))
        matches.sort(key=lambda match: -match.score)
        return [each for each in matches if each.every or each.score >= NEAR_THE_BEST * matches[0].score]

    def _meant(self, typed: str) -> dict[str, float]:
        """The words that a typed one may mean, and how well it fits each. Typos, and other HTTP statuses of
        the same kind, only where nothing begins so."""
        begun = {word: BEGUN for word in self.weights if word.startswith(typed)}
        if begun:
            return {**begun, **({typed: WHOLE} if typed in begun else {})}
        if _STATUS.fullmatch(typed):
            return {
                word: MISTYPED for word in self.weights if _STATUS.fullmatch(word) and word[0] == typed[0]
            }
        if len(typed) < SHORTEST_MISTYPED:
            return {}
        return dict.fromkeys(get_close_matches(typed, self.weights, n=3, cutoff=LIKE_ENOUGH), MISTYPED)

    def _typed(
        self, runbook: Runbook, phrases: Sequence[_Phrase], meant: Sequence[dict[str, float]]
    ) -> Iterable[Match]:
        """A match when any of the words that were typed is in the runbook."""
        score, held, by_phrase = 0.0, 0, dict.fromkeys(phrases, 0.0)
        for typed in meant:
            best = 0.0
            for phrase in phrases:
                fits = max(
                    (typed[word] * self.weights[word] for word in phrase.words if word in typed), default=0.0
                )
                by_phrase[phrase] += PHRASE_WEIGHTS[phrase.kind] * fits
                best = max(best, PHRASE_WEIGHTS[phrase.kind] * fits)
            held += best > 0
            score += best
        if held:
            phrase = max(by_phrase, key=lambda each: by_phrase[each])
            share = held / len(meant)
            yield Match(
                runbook, score / len(meant) * share, phrase.kind, phrase.text, every=held == len(meant)
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
        "step": [text for step in runbook.steps for text in _said(step) if text],
    }
    for kind, some in texts.items():
        yield from (_Phrase(kind, text, words(text)) for text in some)


def _said(step: Step) -> Iterable[str]:
    """What a step says to people."""
    yield step.title
    for condition in (*step.expect, *step.guards):
        yield condition.otherwise.source if condition.otherwise is not None else ""
    for way in step.next:
        yield way.say.source if way.say is not None else ""
