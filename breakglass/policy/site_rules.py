"""What a site says of commands: which of those that nobody knows only read there, and which hosts take bare
verbs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from breakglass.policy.placeholders import VALUE, WORDS, literal_start
from breakglass.policy.risk import Judgement, Knowledge, Risk

ANY_WORD = "*"

Programs: TypeAlias = Mapping[str, tuple[str, ...]]
"""The site's programs by name: the path that is started, and where links lead from it, if anyone looked."""


@dataclass(frozen=True, slots=True)
class ReadPattern:
    """A command that a site counts as a read: its words, of which `*` is any one that is no option."""

    words: tuple[str, ...]

    @property
    def text(self) -> str:
        return " ".join(self.words)

    def matches(self, words: Sequence[str]) -> bool:
        """Whether the pattern is of the whole command. No word may be left over."""
        return len(words) == len(self.words) and all(map(_matches, self.words, words))


def _matches(pattern: str, word: str) -> bool:
    if pattern != ANY_WORD:
        return pattern == word
    start = literal_start(word)
    is_one_word = WORDS not in word and (bool(start) or word.startswith(VALUE))
    return is_one_word and not start.startswith("-")


@dataclass(frozen=True, slots=True)
class SiteRules:
    """reads: commands that only read there. forced: names of hosts that take one bare verb. programs: those
    that may run on this machine."""

    reads: tuple[ReadPattern, ...] = ()
    forced: frozenset[str] = frozenset()
    programs: Programs = field(default_factory=dict[str, tuple[str, ...]])


NOTHING = SiteRules()

FORCED_VERBS: Mapping[str, Risk] = {
    "status": Risk.READ,
    "forensics": Risk.READ,
    "start": Risk.CHANGE,
    "reset": Risk.DESTRUCTIVE,
    "stop": Risk.DESTRUCTIVE,
    "cycle": Risk.DESTRUCTIVE,
}
"""The bare verbs of a recovery host's forced command, for the one virtual machine that it guards. Anywhere
else they are names of programs that nobody knows."""


def judge_verb(words: Sequence[str]) -> Judgement:
    """Judge what a host does with these words that takes one bare verb and nothing else."""
    verb = " ".join(words)
    risk = FORCED_VERBS.get(verb)
    if risk is None:
        return Judgement(Risk.CHANGE, Knowledge.UNKNOWN, f"{verb}: not known as a verb of such a host", verb)
    if risk is Risk.READ:
        return Judgement(risk, Knowledge.READS, f"{verb}: a verb that reads, on a host that takes bare verbs")
    return Judgement(risk, Knowledge.CHANGES, f"{verb}: {risk.word}, on a host that takes bare verbs", verb)
