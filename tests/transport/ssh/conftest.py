from collections.abc import Generator
from pathlib import Path

import pytest

from tests.support.openssh import OpenSsh, openssh


@pytest.fixture
def server(tmp_path: Path) -> Generator[OpenSsh]:
    with openssh(tmp_path / "sshd") as running:
        yield running
