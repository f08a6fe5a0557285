"""What a simulated machine says to one command."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class CommandResult:
    """delay: simulated seconds before it. then: `exit` with a status, `hang`, or `close` the connection."""

    stdout: bytes = b""
    stderr: bytes = b""
    exit: int = 0
    delay: float = 0.0
    then: Literal["exit", "hang", "close"] = "exit"
