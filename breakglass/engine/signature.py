"""The second person's word as an SSH signature: the text that is signed, and whether a signature holds.

The text says what will be sent, as people read it and as a digest of the whole, and holds a number that is
drawn anew for each question, so that no signature is good for another. It is signed on any machine with
`ssh-keygen -Y sign` and checked here with `ssh-keygen -Y verify` (OpenSSH 8.2 and later; PROTOCOL.sshsig and
ALLOWED SIGNERS in ssh-keygen(1)). No network is needed.
"""

import asyncio
import hashlib
import json
import os
import re
import secrets
import signal
import stat
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory

from breakglass.engine.confirmation import person
from breakglass.engine.prepare import Prepared
from breakglass.errors import CommandRefusedError
from breakglass.journal.state import State
from breakglass.threads import in_thread

NAMESPACE = "breakglass"
"""What the signature is for; one made for git or a file does not count."""

SIGN_WITH = f"ssh-keygen -Y sign -n {NAMESPACE} -f KEY"
"""The command that signs standard input, with the private or public key in place of KEY."""

BEGIN, END = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"
LARGEST_SIGNATURE = 16 * 1024
"""Characters. That of a 16384-bit RSA key is below 6,000."""

DEADLINE = 10.0
"""Seconds for each run of ssh-keygen."""

WIDTH = 76
"""Columns of the text, so that no terminal of 80 wraps what is copied."""
LONGEST_COMMAND = 1000
"""Characters of one command in the text. The digest covers all of it."""

_LABEL = 9
_GOOD = re.compile(r'^Good "[^"]*" signature for .* with .* key (SHA256:\S+)$', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Signed:
    """A signature that holds: who made it by the site's signers, and with which key."""

    principal: str
    fingerprint: str


# ---------------------------------------------------------------------- what is signed
def text_to_sign(
    state: State, digest: str, step: str, attempt: int, shown: Sequence[Prepared], impact: str
) -> str:
    """What a second person signs. Its lines are ASCII, at most WIDTH wide and end with no blank, so that
    they come through a terminal as they are. `digest` is the runbook's."""
    rows = [
        ("site", f"{state.site}{' (production)' if state.production else ''}, {state.mode}"),
        ("runbook", f"{state.runbook}, sha256 {digest[:16]}"),
        ("step", f"{step}, attempt {attempt}"),
        ("session", state.session),
        ("asked by", state.operator),
    ]
    for number, each in enumerate(shown, start=1):
        rows += [(f"run {number}/{len(shown)}", _shortened(each.command)), ("on", each.where)]
    rows += [
        ("breaks", impact or "not said"),
        ("sha256", digest_of(shown)),
        ("nonce", secrets.token_hex(16)),
    ]
    return "\n".join(["breakglass: approve this change", *(line for row in rows for line in _row(*row))])


def digest_of(shown: Sequence[Prepared]) -> str:
    """SHA-256, in hexadecimal, of every request in full. Secrets are in it by their names only."""
    requests = [[type(each.request).__name__, asdict(each.request), each.where] for each in shown]
    whole = json.dumps(requests, sort_keys=True, default=_as_json)
    return hashlib.sha256(whole.encode()).hexdigest()


def _as_json(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def _shortened(command: str) -> str:
    left = len(command) - LONGEST_COMMAND
    return f"{command[:LONGEST_COMMAND]} ... and {left} characters more" if left > 0 else command


def _row(label: str, value: str) -> Iterator[str]:
    """A label and its value, broken into lines, at a blank where there is one, which then begins the next
    line. A run of blanks is written out: copied, it might be lost."""
    text = value.encode("ascii", "backslashreplace").decode()
    text = re.sub(r"[\x00-\x1f\x7f]", lambda found: repr(found[0])[1:-1], text)
    text = re.sub(r"^ | $|(?<= ) +", lambda found: "\\x20" * len(found[0]), text)
    room = WIDTH - _LABEL
    while len(text) > room:
        blank = text.rfind(" ", 1, room)
        end = blank if blank > room // 2 else room
        yield f"{label:{_LABEL}}{text[:end]}".rstrip()
        label, text = "", text[end:]
    yield f"{label:{_LABEL}}{text}".rstrip()


# ---------------------------------------------------------------------- whether it holds
def signers_problem(signers: Path) -> str:
    """Why no signature can be checked here, and what to do; empty where one can. Blocks while it looks."""
    if which("ssh-keygen") is None:
        return "ssh-keygen is not installed here, and checks the second person's signature: install OpenSSH"
    try:
        status = signers.stat()
        signers.open("rb").close()
    except OSError as error:
        return f"the site's signers, {signers}, cannot be read: {error.strerror}"
    if not stat.S_ISREG(status.st_mode):
        return f"the site's signers, {signers}, are not an ordinary file"
    if status.st_uid not in (os.getuid(), 0):
        return f"the site's signers, {signers}, belong to another user: chown {os.getuid()} {signers}"
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return f"others may write the site's signers, {signers}: chmod go-w {signers}"
    return ""


async def check_signature(signers: Path, text: str, pasted: str, taken: Collection[str]) -> Signed:
    """Who signed the text. `taken` are the names of those who have given their word already.

    Raises CommandRefusedError, with the reason, for a signature that does not hold, by nobody that the site
    names, or by one of those.
    """
    signature = armoured(pasted)
    if problem := await in_thread(lambda: signers_problem(signers), deadline=DEADLINE):
        raise CommandRefusedError(problem)
    try:
        with TemporaryDirectory(prefix="breakglass-") as folder:
            file = Path(folder) / "signature"
            file.write_text(signature)
            names = await _principals(signers, file)
            holding = [found for name in names if (found := await _verified(signers, file, name, text))]
    except OSError as error:
        raise CommandRefusedError(f"the signature cannot be checked: {error.strerror or error}") from error
    if not holding:
        raise CommandRefusedError(_why_not(signers, names))
    known = {form for name in taken for form in forms_of(name)}
    for each in holding:
        if known & forms_of(each.principal):
            raise CommandRefusedError(
                f"{each.principal} signed, and has agreed already under that name; a second person must sign"
            )
    return holding[0]


def armoured(pasted: str) -> str:
    """The signature in what was pasted, with whatever a terminal put around its lines taken off.

    Raises CommandRefusedError where there is none.
    """
    lines = [line.strip() for line in pasted.splitlines()]
    if BEGIN not in lines or END not in lines[lines.index(BEGIN) :]:
        raise CommandRefusedError(f"that is no signature: it goes from {BEGIN} to {END}")
    first = lines.index(BEGIN)
    return "\n".join(lines[first : lines.index(END, first) + 1]) + "\n"


def forms_of(name: str) -> frozenset[str]:
    """The forms by which a name is known as the same person's: `bob@example.com` is `bob` as well."""
    return frozenset({person(name), person(name.split("@")[0])} - {""})


def _why_not(signers: Path, names: Sequence[str]) -> str:
    if not names:
        return f"the key that signed is none of those in {signers}, or is not valid now"
    return (
        f"the signature by {', '.join(names)} does not hold for this text: sign the whole text that is shown "
        f"now, with -n {NAMESPACE}. A signature made before counts for nothing"
    )


async def _principals(signers: Path, signature: Path) -> list[str]:
    """Whose key signed, by the site's signers. A pattern names no one person and does not count."""
    status, said = await _ssh_keygen(("find-principals", "-s", str(signature), "-f", str(signers)), b"")
    names = said.splitlines() if status == 0 else []
    return [name for name in names if name.strip() and not set(name) & set("*?!")]


async def _verified(signers: Path, signature: Path, name: str, text: str) -> Signed | None:
    """The signature as this person's. A copied text may have got a line break at its end, and those of
    Windows."""
    for copied in (f"{text}\n", text, f"{text}\n".replace("\n", "\r\n"), text.replace("\n", "\r\n")):
        status, said = await _ssh_keygen(
            ("verify", "-f", str(signers), "-I", name, "-n", NAMESPACE, "-s", str(signature)),
            copied.encode(),
        )
        if status == 0 and (good := _GOOD.search(said)):
            return Signed(name, good[1])
    return None


async def _ssh_keygen(arguments: Sequence[str], given: bytes) -> tuple[int, str]:
    """Run `ssh-keygen -Y`. Its exit status and what it said. Raises OSError where it cannot be run or does
    not end."""
    process = await asyncio.create_subprocess_exec(
        *("ssh-keygen", "-Y", *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, "LC_ALL": "C"},
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(DEADLINE):
            said, _ = await process.communicate(given)
    except TimeoutError as error:
        raise OSError(f"ssh-keygen did not end in {DEADLINE:.0f} s") from error
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    return process.returncode or 0, said.decode(errors="replace")
