"""Odd machines: closed standard streams, a full device, terminals that can do little, other encodings."""

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = [sys.executable, "-m", "breakglass.cli.main"]


def told(script: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """What the program says when a shell starts it as `$BREAKGLASS`."""
    given = {**os.environ, "BREAKGLASS_STATE": str(folder / "state"), "BREAKGLASS": " ".join(PROGRAM)}
    return subprocess.run(
        ["sh", "-c", script],
        env={**given, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-"])
def test_a_closed_standard_stream_breaks_nothing(tmp_path: Path, closed: str) -> None:
    found = told(f"$BREAKGLASS --version {closed}", tmp_path)
    assert (found.returncode, found.stderr) == (0, "")


def test_no_record_takes_the_place_of_a_closed_standard_stream(tmp_path: Path) -> None:
    script = "$BREAKGLASS rehearse outpost-shm-purge --auto --json <&- >&- 2>&-"
    assert told(script, tmp_path).returncode == 0
    journal = next((tmp_path / "state").rglob("journal.jsonl"))
    assert all(line.startswith("{") for line in journal.read_text().splitlines())


@pytest.mark.parametrize("command", ["--version", "list"])
def test_a_full_device_is_said_in_one_line(tmp_path: Path, command: str) -> None:
    found = told(f"$BREAKGLASS {command} > /dev/full", tmp_path)
    assert found.returncode == 1
    assert found.stderr.splitlines()[-1] == "standard output cannot be written: No space left on device"
    assert "Traceback" not in found.stderr
    assert told(f"$BREAKGLASS {command} > /dev/full 2>&1", tmp_path).returncode == 1


def test_another_encoding_shows_what_it_can(tmp_path: Path) -> None:
    script = "$BREAKGLASS show vault-raft-recovery"
    found = told(script, tmp_path, PYTHONIOENCODING="ascii", PYTHONUTF8="0", LC_ALL="C")
    assert (found.returncode, found.stderr) == (0, "")
    found = told(f"{script} > /dev/null", tmp_path, PYTHONIOENCODING="euc_jp")
    assert (found.returncode, found.stderr) == (0, "")


def on_a_terminal(folder: Path, words: list[str], typed: bytes, **environment: str) -> bytes:
    """What the program writes on a terminal of its own, until it ends; `typed` is typed at once."""
    child, master = pty.fork()
    if child == 0:
        os.environ.update(environment, BREAKGLASS_STATE=str(folder / "state"))
        os.execv(PROGRAM[0], [*PROGRAM, *words])
    os.write(master, typed)
    said = b""
    try:
        while data := os.read(master, 65536):
            said += data
    except OSError:  # the terminal ends with the program
        pass
    finally:
        os.close(master)
        os.waitpid(child, 0)
    return said


@pytest.mark.parametrize("words", [["rehearse", "outpost-shm-purge"], []])
def test_a_dumb_terminal_gets_plain_lines(tmp_path: Path, words: list[str]) -> None:
    said = on_a_terminal(tmp_path, words, b"\x04", TERM="dumb")
    assert said
    assert b"\x1b" not in said


def test_the_program_can_be_stopped_and_goes_on(tmp_path: Path) -> None:
    child, master = pty.fork()
    if child == 0:
        os.environ.update(TERM="xterm-256color", BREAKGLASS_STATE=str(tmp_path / "state"))
        os.execv(PROGRAM[0], PROGRAM)
    try:
        said = b""
        while b"\x1b[?1049h" not in said or b"outpost" not in said:
            said += os.read(master, 65536)
        os.write(master, b"\x1a")
        _, status = os.waitpid(child, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        os.kill(child, signal.SIGCONT)
        said = b""
        while b"\x1b[?1049h" not in said:
            said += os.read(master, 65536)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(master)
