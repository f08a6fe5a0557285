"""The exit codes, documented once.

| code | meaning |
|---|---|
| 0 | done and verified, rightly not this incident, or a rehearsal that ended as its scenario expects |
| 1 | an expectation failed, a need refused, or the world is not recovered |
| 2 | wrong usage, or a file that cannot be used |
| 3 | something could not be reached; it may be tried again |
| 4 | permission or authentication was refused |
| 5 | stopped where a person is needed; the session can be resumed |
| 6 | a change may have happened: its outcome is unknown |
| 130 | interrupted |
"""

from enum import IntEnum


class ExitCode(IntEnum):
    DONE = 0
    NOT_RECOVERED = 1
    USAGE = 2
    UNREACHABLE = 3
    PERMISSION = 4
    STOPPED = 5
    UNKNOWN = 6
    INTERRUPTED = 130
