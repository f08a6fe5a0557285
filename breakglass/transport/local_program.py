"""Looking at a program of this machine before it is run: which file it is, and who could have changed it."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from breakglass.errors import UserError
from breakglass.transport.base import LocalProgram
from breakglass.yamlio.text_file import whose_problem


class LocalProgramError(UserError):
    """A program of this machine that cannot be run, or that others than its owner may have written."""


def look_at(name: str, path: str) -> LocalProgram:
    """The program at an absolute path, as it is now. Blocks. Raises LocalProgramError with what to do."""
    try:
        leads_to = Path(path).resolve(strict=True)
        facts = leads_to.stat()
        if not stat.S_ISREG(facts.st_mode):
            raise LocalProgramError(
                f"{name}: {path} is no program; give the right path under `local` in the site"
            )
        if not os.access(leads_to, os.X_OK):
            raise LocalProgramError(f"{name}: {path} cannot be run by this user: chmod +x {path}")
        wrong = whose_problem(Path(path), facts)
        for each in _way(Path(path), leads_to):
            wrong = wrong or _way_problem(each)
    except OSError as error:
        message = f"{name}: {path}: {error.strerror}; install it, or give its path under `local` in the site"
        raise LocalProgramError(message) from error
    except RuntimeError as error:  # links in a circle
        raise LocalProgramError(f"{name}: {path}: {error}") from error
    if wrong:
        raise LocalProgramError(f"{name}: {path} is not run: {wrong}")
    identity = (facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)
    return LocalProgram(name, path, str(leads_to), identity)


def _way(path: Path, leads_to: Path) -> Iterator[Path]:
    """Each link that is followed from a path, and the file at the end."""
    while path.is_symlink():
        yield path
        path = path.parent / path.readlink()
    yield path
    yield leads_to


def _way_problem(path: Path) -> str:
    """How others could put another program in the place of this link or file; empty where they cannot."""
    if path.lstat().st_uid not in (os.getuid(), 0):
        return f"{path} belongs to somebody else, who could lead it elsewhere"
    for folder in path.parents:
        facts = folder.stat()
        if facts.st_mode & stat.S_IWOTH and not facts.st_mode & stat.S_ISVTX:
            return f"others may put another file in its place: chmod o-w {folder}"
        if facts.st_uid not in (os.getuid(), 0):
            return f"{folder} belongs to somebody else, who could put another file in its place"
    return ""
