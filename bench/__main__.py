"""`make bench`: run all benchmarks, or those named, and print one table.

examples:
  make bench
  make bench ONLY="commands journal_replay"
"""

import os
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from bench.measure import Line, table

ALL = (
    "start_to_frame",
    "commands",
    "kubernetes_get",
    "ssh_step",
    "many_hosts",
    "registry_probe",
    "flood",
    "journal_replay",
    "resume_to_frame",
    "growth",
)


class Benchmark(Protocol):
    """One benchmark's module."""

    def measure(self, work: Path) -> list[Line]:
        """Its lines of the table. `work` is an empty folder of its own."""
        ...


def main(names: list[str]) -> int:
    unknown = sorted(set(names) - set(ALL))
    if unknown:
        print(f"no benchmark is called {', '.join(unknown)}; there are: {', '.join(ALL)}", file=sys.stderr)
        return 2
    # An installed program has its bytecode: each side writes it in the round that does not count.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    lines: list[Line] = []
    for name in names or ALL:
        print(f"{name} ...", file=sys.stderr, flush=True)
        started = time.monotonic()
        with tempfile.TemporaryDirectory(prefix=f"bench-{name}-", ignore_cleanup_errors=True) as folder:
            lines += cast(Benchmark, import_module(f"bench.{name}")).measure(Path(folder))
        print(f"{name}: {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    print(machine())
    print()
    print(table(lines))
    return 0


def machine() -> str:
    """What the table was measured on, in a line: the processor, memory, kernel and what else was going on."""
    processor = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        "unknown processor",
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    loads = "/".join(f"{load:.1f}" for load in os.getloadavg())
    return (
        f"{os.cpu_count()} x {processor}, {memory:.0f} GiB, Linux {os.uname().release}, "
        f"Python {sys.version.split()[0]}, load {loads} at the end"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
