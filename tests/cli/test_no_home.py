"""A user with neither a home nor an entry in passwd, as in a container with any uid."""

import os
import pwd

import pytest

from breakglass.cli.main import main
from breakglass.engine.session import operator_name


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(number: int) -> pwd.struct_passwd:
        raise KeyError(f"getpwuid(): uid not found: {number}")

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    for name in ("HOME", "LOGNAME", "USER", "LNAME", "USERNAME", "BREAKGLASS_OPERATOR", "BREAKGLASS_STATE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("nobody")
def test_commands_work_as_with_the_home_that_containers_give(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["site", "init", "-", "--yes"]) == 0
    assert "site: site" in capsys.readouterr().out
    assert os.environ["HOME"] == "/"


@pytest.mark.usefixtures("nobody")
def test_the_operator_is_the_number_of_the_user() -> None:
    assert operator_name() == f"uid {os.getuid()}"
