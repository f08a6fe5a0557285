"""What the parsers of awk and jq share: one token in view, and steps that take it."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from breakglass.policy.program_text import ProgramTextError, not_understood

MAX_DEPTH = 50
"""Levels of nesting that a parser follows, so that no text exhausts Python's stack."""


def words(text: str) -> frozenset[str]:
    """The words of a text, as a set."""
    return frozenset(text.split())


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a program text. `kind` names what has many spellings, such as `number`; for all else it is
    the text itself. The end of the text is a token with an empty text and kind."""

    kind: str
    text: str
    at: int


class TokenParser(ABC):
    """A parser that goes down a grammar; what it does not know raises NotUnderstoodError."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.token = self.scan(0, "")
        self.depth = 0

    @abstractmethod
    def scan(self, at: int, before: str) -> Token:
        """The token at or behind this place, which follows one of the kind `before`."""

    def advance(self) -> Token:
        """Take the token in view."""
        taken = self.token
        self.token = self.scan(taken.at + len(taken.text), taken.kind)
        return taken

    def sees(self, *kinds: str) -> bool:
        """Whether the token in view is one of these."""
        return self.token.kind in kinds

    def take(self, *kinds: str) -> bool:
        """Take the token in view if it is one of these; whether it was."""
        found = self.token.text != "" and self.sees(*kinds)
        if found:
            self.advance()
        return found

    def expect(self, kind: str) -> Token:
        """Take the token in view, which must be one of this kind."""
        if not self.sees(kind):
            raise self.refuse()
        return self.advance()

    def refuse(self) -> ProgramTextError:
        return not_understood(self.text, self.token.at)

    def deeper(self) -> None:
        """Count one level of nesting. Who comes out of it takes one from `depth`."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise ProgramTextError("it is nested too deeply")
