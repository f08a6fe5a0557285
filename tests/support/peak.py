"""How much memory a program took at the most, by its own word.

What `wait4` says of a child begins at the size of the process that forked it, and a test runner is large.
"""

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence

PEAK = """
import atexit, os, re
def tell():
    with open("/proc/self/status") as status:
        os.write(int(os.environ["PEAK_TO"]), re.search(r"VmHWM:\\s+(\\d+)", status.read())[1].encode())
atexit.register(tell)
"""


def run_measured(
    python: str,
    source: str,
    words: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    stderr: int = subprocess.STDOUT,
    preexec: Callable[[], None] | None = None,
) -> tuple[bytes, int, int]:
    """Run Python source. Gives what it printed, its exit code, and its largest size in KiB."""
    listening, telling = os.pipe()
    with os.fdopen(listening, "rb") as peak:
        process = subprocess.Popen(
            [python, "-c", PEAK + source, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env={**(environment if environment is not None else os.environ), "PEAK_TO": str(telling)},
            pass_fds=(telling,),
            preexec_fn=preexec,
        )
        os.close(telling)
        said, _ = process.communicate()
        return said, process.returncode, int(peak.read() or b"0")
