import os

import pytest

from tests.simulator.kubernetes.conftest import start as start
from tests.support.kubectl_programs import current_kubectl


@pytest.fixture(autouse=True)
def kubectl_is_the_current_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test runs as `kubectl` is the same on every machine, whichever is installed there."""
    monkeypatch.setenv("PATH", f"{current_kubectl().parent}{os.pathsep}{os.environ['PATH']}")
