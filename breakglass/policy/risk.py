"""What a command was judged to do: its risk, whether that is known, and the word that decided."""

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
    empty where every word is known to read."""

    risk: Risk
    knowledge: Knowledge
    why: str
    word: str = ""
