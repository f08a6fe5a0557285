"""The option of the long form: `pytest tests/safety --soak`."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak", action="store_true", default=False, help="the long form of the crash tests")


@pytest.fixture
def soak(request: pytest.FixtureRequest) -> bool:
    # The option is not there where the tests are collected from further up.
    return bool(request.config.getoption("--soak", default=False))
