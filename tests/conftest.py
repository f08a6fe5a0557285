"""What holds for every test: each journal that is written, read back, folds to what was in memory; no check
is kept from one test to the next; and no example has a deadline, since none asserts a time."""

from collections.abc import Generator
from itertools import count

import pytest
from hypothesis import settings

from breakglass.journal.state import fold
from breakglass.journal.store import Journal, read

settings.register_profile("untimed", settings(), deadline=None)
settings.load_profile("untimed")

FOLDED_UP_TO = 5_000
"""Records. A longer journal is a test's own load, and has its own test."""

_NUMBER = count()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--soak", action="store_true", default=False, help="the long form of the tests that have one"
    )


SLOWEST = ("tests/runbooks/", "tests/safety/test_crash.py")
"""Where a single test may take a minute: these begin first, so that no worker is left alone with one."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.nodeid.startswith(SLOWEST))


@pytest.fixture
def soak(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--soak"))


@pytest.fixture(autouse=True)
def no_kept_checks(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache folder of its own, which is made when something is kept."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "caches" / str(next(_NUMBER))))


@pytest.fixture(autouse=True)
def every_journal_replays(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    """Read each journal back when it is closed, and compare the state that it folds to. A test that damages
    one on purpose says so with `damages_a_journal`."""
    if request.node.get_closest_marker("damages_a_journal") is not None:
        yield
        return
    close = Journal.close
    differing: list[str] = []

    def close_and_compare(journal: Journal) -> None:
        close(journal)
        if journal.fault or len(journal.records) > FOLDED_UP_TO or not journal.path.exists():
            return
        if fold(read(journal.path).records) != fold(journal.records):
            differing.append(str(journal.path))

    monkeypatch.setattr(Journal, "close", close_and_compare)
    yield
    assert not differing, f"what is on disk does not fold to the state that was shown: {differing}"
