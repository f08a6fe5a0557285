"""What a command was judged to do: its risk, whether that is known, and the word that decided; and what that
comes to beside what the author of a runbook says."""

from dataclasses import dataclass
from enum import Enum, IntEnum


class Risk(IntEnum):
    """What a step may touch, from harmless to irreversible; the order is the order of danger."""

    READ = 0
    """Observes only, and may be repeated."""
    PROBE = 1
    """Observes, but can leave something behind: a hung mount, a created Job."""
    CHANGE = 2
    """Changes something that can be put back."""
    DESTRUCTIVE = 3
    """Interrupts service, loses data or removes a way back."""

    @property
    def word(self) -> str:
        return self.name.lower()


class Knowledge(Enum):
    """How sure a judgement is. Only what is known to read runs unasked."""

    READS = "known to read"
    CHANGES = "known to change"
    UNKNOWN = "not known"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a command may do. `why` is a sentence for people; `word` is the word of the command that decided,
    empty where every word is known to read. `site` is the pattern with which a site counts as a read what is
    not known otherwise."""

    risk: Risk
    knowledge: Knowledge
    why: str
    word: str = ""
    site: str = ""


NOT_JUDGED = Judgement(Risk.CHANGE, Knowledge.UNKNOWN, "nobody has looked at it yet")


@dataclass(frozen=True, slots=True)
class Assessment:
    """What an action counts as: what its words are known to do, and what its author declares.

    A declared risk may always raise. `read` lowers only what is not known, and only with a reason. `probe`,
    which is confirmed all the same, also lowers a known change, but nothing destructive.
    """

    judgement: Judgement = NOT_JUDGED
    declared: Risk | None = None
    because: str = ""

    @property
    def risk(self) -> Risk:
        """The risk that counts."""
        if self.declared is None or (self.is_below and not self.is_lowered):
            return self.judgement.risk
        return self.declared

    @property
    def is_below(self) -> bool:
        """Whether less is declared than the words are known for."""
        return self.declared is not None and self.declared < self.judgement.risk

    @property
    def may_be_lowered(self) -> bool:
        """Whether a reason could make the declared risk count."""
        if self.judgement.knowledge is Knowledge.UNKNOWN:
            return True
        return self.declared is Risk.PROBE and self.judgement.risk is Risk.CHANGE

    @property
    def is_lowered(self) -> bool:
        """Whether it counts as less than its words are known for, by its author's word."""
        return self.is_below and self.may_be_lowered and bool(self.because)

    @property
    def may_read(self) -> bool:
        """Whether it is a read, or is meant as one and a site can make it one with its `reads`."""
        return self.risk is Risk.READ or (self.declared is Risk.READ and self.may_be_lowered)

    @property
    def vouched(self) -> str:
        """By whose word it counts as less than its words are known for; empty where it does not."""
        if self.is_lowered:
            return f"by the author's word: {self.because}"
        if self.judgement.site and self.risk is Risk.READ:
            return f"by this site's word: {self.judgement.site}"
        return ""


NOT_ASSESSED = Assessment()
