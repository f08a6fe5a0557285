"""Check that a session's journal is complete and untampered: every record there, unchanged and in order.

Prints the hash of the last record. Written down elsewhere, it shows later that nothing was cut off the end.

examples:
  breakglass verify last
  breakglass verify SESSION --hash 3f9a…
"""

import hashlib
import sys
from argparse import ArgumentParser, Namespace

from breakglass.exit_codes import ExitCode
from breakglass.journal import events as e
from breakglass.journal.folders import SessionFolder, state_folder
from breakglass.journal.sessions import find_session
from breakglass.journal.store import FILE_NAME, JournalContents, JournalError, read

SHA256_DIGITS = 64


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("session", help="a session's name, the beginning of one, or `last`")
    parser.add_argument("--hash", help="what the last record's hash must be")


def run(arguments: Namespace) -> int:
    folder = find_session(state_folder(), arguments.session)
    try:
        reading = read(folder.path / FILE_NAME)
    except JournalError as error:
        print(error, file=sys.stderr)
        return ExitCode.NOT_RECOVERED
    wrong = [*damaged_outputs(folder, reading)]
    if reading.strange:
        wrong.append(f"{reading.torn} bytes after record {len(reading.records)} are no part of a record")
    if arguments.hash and arguments.hash != reading.last_hash:
        wrong.append(
            f"the last record's hash is {reading.last_hash}, not {arguments.hash}: cut short or exchanged"
        )
    for problem in wrong:
        print(problem, file=sys.stderr)
    if not reading.records or not isinstance(reading.records[-1].event, e.SessionEnded):
        print("the session did not end: it was interrupted, or its end was cut off", file=sys.stderr)
    if reading.torn and not reading.strange:
        print(f"a torn last record of {reading.torn} bytes is not counted", file=sys.stderr)
    if wrong:
        return ExitCode.NOT_RECOVERED
    print(f"{folder.name}: {len(reading.records)} records, complete. Hash of the last: {reading.last_hash}")
    return ExitCode.DONE


def damaged_outputs(folder: SessionFolder, reading: JournalContents) -> list[str]:
    """Output files that are missing, or that are not what their name says."""
    wrong: list[str] = []
    names = {r.event.output for r in reading.records if isinstance(r.event, e.ActionFinished)}
    # What was read again before a change, and while it was verified, is kept too but named by no event.
    names |= {path.name for path in folder.output.glob("*.txt") if len(path.stem) == SHA256_DIGITS}
    for name in sorted(names - {""}):
        path = folder.output / name
        try:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            wrong.append(f"{path}: {error.strerror}")
            continue
        if digest != path.stem:
            wrong.append(f"{path}: was changed: its SHA-256 is {digest}")
    return wrong
