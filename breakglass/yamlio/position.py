"""Where a thing stands in a file, and what is wrong with it there."""

from pathlib import Path
from typing import NamedTuple

from breakglass.errors import UserError


class Position(NamedTuple):
    """A place in a file. `line` and `column` count from 1, as editors do."""

    file: Path
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class Problem(NamedTuple):
    """One fault in a file: where it is, what is wrong, and what was probably meant.

    `warning` marks advice that does not stop a runbook from being used.
    """

    position: Position
    message: str
    warning: bool = False

    def __str__(self) -> str:
        return f"{self.position}: {'warning: ' if self.warning else ''}{self.message}"


class InvalidFileError(UserError):
    """A runbook, site or scenario that cannot be used, with every problem found in it."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = sorted(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))
