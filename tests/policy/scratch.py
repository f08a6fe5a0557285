"""A folder in which a program is run to see what it does: it holds files that must stay as they are, and its
PATH holds only stand-ins, which note that they were called."""

import os
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from string import ascii_lowercase, digits

PROGRAMS = (*ascii_lowercase, *digits, "touch", "rm")
"""Programs that have a stand-in. Every letter is one, so that what a mutation left of a name still is one."""

STAND_IN = '#!/bin/sh\necho "$0 $*" >>"$NOTES"\n'
FILES = {
    # Lines that `e` of sed would run, and records of which awk could make file names.
    "input": "f\nf 1\na b/c:d=2\n\nrm x\ntouch x [y]\nerror start end\n",
    "other": "kept\n",
}
JSON = '{"a": {"b": [1, 2, {"c": "x"}]}, "env": true, "items": [{"name": "x"}]}'
SECRET = "in the environment and in a module of jq"

LIMITS = "ulimit -t 1; ulimit -f 64; ulimit -v 1000000"
"""For one program: a second of the processor, since some go round for ever, which is no change; and bounds
for its files and its memory."""


@dataclass(frozen=True, slots=True)
class Scratch:
    """The folder, under one that the test gives."""

    root: Path
    files: dict[str, bytes] = field(default_factory=dict[str, bytes])

    @staticmethod
    def make(root: Path) -> "Scratch":
        scratch = Scratch(root, {name: text.encode() for name, text in FILES.items()})
        (root / "bin").mkdir(parents=True)
        for name in PROGRAMS:
            stand_in = root / "bin" / name
            stand_in.write_text(STAND_IN, encoding="utf-8")
            stand_in.chmod(0o755)
        (root / "work").mkdir()
        (root / "home" / ".jq").mkdir(parents=True)
        (root / "home" / ".jq" / "module.jq").write_text(f'def f: "{SECRET}";', encoding="utf-8")
        scratch.fill()
        return scratch

    def fill(self) -> None:
        for path in (self.root / "work").iterdir():
            path.unlink()
        (self.root / "notes").unlink(missing_ok=True)
        for name, content in self.files.items():
            (self.root / "work" / name).write_bytes(content)

    def run(self, script: str, program: str) -> str:
        """Run a shell script with the program as its `$1`, in the folder; what it printed."""
        process = subprocess.Popen(
            ["/bin/sh", "-c", f"{LIMITS}; {script}", "sh", program],
            cwd=self.root / "work",
            env={
                "PATH": str(self.root / "bin"),
                "HOME": str(self.root / "home"),
                "NOTES": str(self.root / "notes"),
                "SECRET": SECRET,
                "LC_ALL": "C.UTF-8",
            },
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            return process.communicate(timeout=300)[0].decode(errors="replace")
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def traces_of(self, tools: Sequence[str], program: str) -> list[str]:
        """Run the program with each tool over the input; the calls, and the files that came or changed.

        A folder with traces is made anew, so that the next program starts from the same.
        """
        calls = (f'{tool} "$1" input other >/dev/null 2>&1 </dev/null' for tool in tools)
        self.run("\n".join(calls), program)
        traces = self.traces()
        if traces:
            self.fill()
        return traces

    def shown_by(self, tool: str, program: str) -> str:
        """What the program prints over JSON, up to a limit: some print for ever."""
        return self.run(f"""echo '{JSON}' | {tool} "$1" 2>&1 | /usr/bin/head -c 100000""", program)

    def traces(self) -> list[str]:
        work, notes = self.root / "work", self.root / "notes"
        found = {path.name: path.read_bytes() for path in work.iterdir()}
        changed = sorted(name for name in found | self.files if found.get(name) != self.files.get(name))
        return [*(notes.read_text(errors="replace").splitlines() if notes.exists() else ()), *changed]
