"""Debian's own `kubectl`, unpacked into `.cache/kubectl-debian` of the repository, without installing it.

Run as a script it prints the path. It may be run from several processes at once.
"""

import fcntl
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".cache" / "kubectl-debian"
PACKAGE = "kubernetes-client"


def debian_kubectl() -> Path:
    """The path of the program. RuntimeError where the package cannot be had."""
    installed = shutil.which("kubectl")
    if installed and is_debians(Path(installed)):
        return Path(installed)
    program = FOLDER / "unpacked" / "usr" / "bin" / "kubectl"
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            _unpack()
    return program


def is_debians(program: Path) -> bool:
    """Whether a program came with Debian's package."""
    owner = subprocess.run(["dpkg", "-S", str(program)], capture_output=True, text=True, check=False)
    return owner.returncode == 0 and owner.stdout.startswith(PACKAGE + ":")


def _unpack() -> None:
    download = FOLDER / "download"
    shutil.rmtree(download, ignore_errors=True)
    download.mkdir()
    fetched = subprocess.run(
        ["apt-get", "download", PACKAGE], cwd=download, capture_output=True, text=True, check=False
    )
    packages = list(download.glob("*.deb"))
    if fetched.returncode != 0 or not packages:
        raise RuntimeError(f"apt-get download {PACKAGE} failed: {fetched.stderr.strip()}")
    unpacked = FOLDER / "unpacking"
    shutil.rmtree(unpacked, ignore_errors=True)
    subprocess.run(["dpkg", "-x", str(packages[0]), str(unpacked)], check=True)
    unpacked.rename(FOLDER / "unpacked")
    shutil.rmtree(download)


if __name__ == "__main__":
    print(debian_kubectl())  # noqa: T201
