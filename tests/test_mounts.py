"""On which file system a path is, found without looking at one whose server may be gone."""

from pathlib import Path

import pytest

from breakglass.mounts import network_file_system


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with `far`, which the kernel's list calls an NFS mount, and below which nobody may look."""
    (tmp_path / "far file").mkdir()
    (tmp_path / "near").mkdir()
    far = tmp_path / "far file"
    (tmp_path / "mounts").write_text(
        f"/dev/sda / ext4 rw 0 0\nserver:/x {tmp_path}/far\\040file nfs4 rw 0 0\n"
    )
    readlink = Path.readlink

    def watched(path: Path) -> Path:
        assert not path.is_relative_to(far), "this call would never come back"
        return readlink(path)

    monkeypatch.setattr(Path, "readlink", watched)
    return tmp_path


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("far file", "nfs4"),
        ("far file/deep/er", "nfs4"),
        ("near/../far file/x", "nfs4"),
        ("near", ""),
        ("near/missing/deeper", ""),
        ("far file beside it", ""),
        ("link/x", "nfs4"),
        ("chain/x", "nfs4"),
        ("near/up/x", "nfs4"),
        ("home", ""),
        ("loop/x", ""),
    ],
)
def test_the_mount_is_found_and_not_touched(place: Path, path: str, kind: str) -> None:
    (place / "link").symlink_to(place / "far file" / "deep")
    (place / "chain").symlink_to("link")
    (place / "near" / "up").symlink_to("../far file")
    (place / "home").symlink_to("near")
    (place / "loop").symlink_to("loop")
    assert network_file_system(place / path, place / "mounts") == kind


def test_a_root_on_the_network_holds_everything(tmp_path: Path) -> None:
    (tmp_path / "mounts").write_text("server:/ / nfs rw 0 0\n")
    assert network_file_system(Path("/anything"), tmp_path / "mounts") == "nfs"


def test_of_two_mounts_at_one_place_the_last_counts(tmp_path: Path) -> None:
    (tmp_path / "mounts").write_text(f"a {tmp_path} nfs rw 0 0\nb {tmp_path} ext4 rw 0 0\n")
    assert network_file_system(tmp_path, tmp_path / "mounts") == ""


def test_without_the_kernels_list_nothing_is_known(tmp_path: Path) -> None:
    assert network_file_system(tmp_path, tmp_path / "missing") == ""
