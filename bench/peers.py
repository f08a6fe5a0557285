"""The peers, each in an environment of its own: from PyPI in `.cache/bench/`, and from Debian."""

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

VENVS = Path(__file__).parent.parent / ".cache" / "bench"
PACKAGES = {
    "ansible": "ansible-core==2.19.14",
    "asyncssh": "asyncssh==2.24.1",
    "harlequin": "harlequin==2.17.0",
    # With the tree-sitter that it would get today, 0.26, this posting ends in a segmentation fault.
    "posting": "posting==2.11.1 tree-sitter==0.25.2",
    "pyinfra": "pyinfra==3.10.0",
}


@cache
def peer(package: str, program: str = "") -> Path:
    """A program of a package from PyPI, `python` among them, or the one of its name. Installs it first."""
    venv, wanted = VENVS / package, PACKAGES[package]
    done = venv / "installed"
    if not done.exists() or done.read_text() != wanted:
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        pip = [venv / "bin" / "pip", "install", "--quiet"]
        subprocess.run([*pip, *wanted.split()], check=True, stdout=sys.stderr)
        done.write_text(wanted)
    return venv / "bin" / (program or package)


def debian(name: str, package: str) -> Path:
    """A program from Debian, installed when it is not there."""
    if (found := shutil.which(name)) is None:
        as_root = [] if os.getuid() == 0 else ["sudo"]
        options = ["-y", "-qq", "--no-install-recommends"]
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run([*as_root, "apt-get", "update", "-q"], check=True, stdout=subprocess.DEVNULL)
        subprocess.run(
            [*as_root, "apt-get", "install", *options, package],
            check=True,
            stdout=subprocess.DEVNULL,
            env=environment,
        )
        found = shutil.which(name)
    assert found is not None, f"{package} was installed, and has no program {name}"
    return Path(found)
