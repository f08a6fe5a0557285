"""A new journal is in its folder, and the folder in its own, before anything is told: a file whose name is
not on the disk is lost with all that is in it."""

import os
import stat
from pathlib import Path

import pytest

from breakglass.journal import events as e
from breakglass.journal.store import FILE_NAME, JournalError, open_journal, read


def synced_by(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders that are put on the disk from now on, in their order."""
    found: list[Path] = []
    sync = os.fsync

    def noted(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            found.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    return found


def test_the_folder_of_a_new_session_and_the_one_above_are_put_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = tmp_path / "session"
    session.mkdir()
    synced = synced_by(monkeypatch)
    open_journal(session, create=True).close()
    assert synced == [session, tmp_path]


def test_a_folder_that_cannot_be_put_on_the_disk_gives_no_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(JournalError, match="Input/output error"):
        open_journal(tmp_path, create=True)


def test_a_journal_that_is_opened_again_is_in_its_folder_already(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = open_journal(tmp_path, create=True)
    journal.append(e.NoteAdded("step", "kept", "operator"))
    journal.close()
    synced = synced_by(monkeypatch)
    open_journal(tmp_path).close()
    assert synced == []
    assert len(read(tmp_path / FILE_NAME).records) == 1
