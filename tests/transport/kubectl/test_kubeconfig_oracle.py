"""What a kubeconfig means, held against the kubectl program: where it goes, as whom, and what it refuses."""

import asyncio
import base64
import os
import shutil
import subprocess
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from breakglass.site.model import Cluster
from breakglass.transport.kubectl.api import Api, Sending
from breakglass.transport.kubectl.faults import KubectlFaultError
from tests.transport.kubectl.recorder import NAME, Asked, Recorder, recorder

EXAMPLES, MORE_EXAMPLES = 100, 1000
"""Each example starts a kubectl, which takes a tenth of a second of the processor."""
NAMES = ("a", "b")


@dataclass(frozen=True, slots=True)
class Servers:
    first: Recorder
    second: Recorder


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Generator[Servers]:
    one, two = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("two")
    with recorder(one) as first, recorder(two) as second:
        yield Servers(first, second)


Section = dict[str, Any]
Sections = st.SearchStrategy[dict[str, Any]]


def mostly(usual: st.SearchStrategy[Any], rare: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.integers(0, 40).flatmap(lambda number: rare if number == 7 else usual)


def given_or_not(fields: Mapping[str, st.SearchStrategy[Any]]) -> Sections:
    return st.fixed_dictionaries({}, optional=dict(fields))


def merged(*parts: Sections) -> Sections:
    return st.tuples(*parts).map(together)


def together(parts: tuple[Section, ...]) -> Section:
    return {name: value for part in parts for name, value in part.items()}


def clusters(servers: Servers) -> Sections:
    def of(server: Recorder) -> Sections:
        packed = base64.b64encode(server.authority).decode()
        broken = "\n".join(packed[at : at + 64] for at in range(0, len(packed), 64)) + "\r\n"
        number = 1 if server is servers.first else 2
        trust = st.sampled_from(
            [
                {"certificate-authority-data": packed},
                {"certificate-authority-data": broken},
                {"certificate-authority-data": packed.encode()},
                {"certificate-authority": f"ca{number}.crt"},
                {"certificate-authority": f"../files/ca{number}.crt"},
            ]
        )
        distrust = st.sampled_from(
            [
                {},
                {"certificate-authority": "ca3.crt"},
                {"certificate-authority": f"ca{3 - number}.crt"},
                {"certificate-authority-data": packed[:-3]},
                {"certificate-authority-data": packed.replace("A", " ", 1)},
                {"certificate-authority-data": packed, "certificate-authority": f"ca{number}.crt"},
            ]
        )
        rest = given_or_not(
            {
                "tls-server-name": mostly(st.sampled_from([NAME, ""]), st.just("other.test")),
                "proxy-url": mostly(st.just(""), st.sampled_from(["socks5h://127.0.0.1:1", "ftp://x"])),
                "insecure-skip-tls-verify": mostly(st.just(False), st.sampled_from(["true", None])),
                "made-up": st.just(3),
            }
        )
        url = mostly(
            st.sampled_from([server.url, f"{server.url}/"]),
            st.sampled_from([server.url.removeprefix("https://"), ""]),
        )
        return merged(st.fixed_dictionaries({"server": url}), mostly(trust, distrust), rest)

    return st.one_of(of(servers.first), of(servers.second))


USERS = merged(
    mostly(
        st.sampled_from([{"token": "one"}, {"token": "two"}, {"tokenFile": "token"}, {"tokenFile":
        "../files/token"}]), st.sampled_from(
            [
                {"token": "one", "tokenFile": "token"},
                {"token": "one", "tokenFile": "none"},
                {"tokenFile": "none"},
                {"username": "u", "password": "p:w"},
                {"token": "one", "username": "u"},
                {"token": 12},
                {"token": "one", "client-certificate": "none"},
            ]
        ),
    ),
    mostly(
        st.sampled_from([{}, {"as": "zoe"}, {"as": "zoe", "as-groups": ["g", "h"]}, {"as": None}]),
        st.sampled_from(
            [
                {"as": "zoe", "as-uid": "7", "as-user-extra": {"a/b c": ["x", "y"], "D%": ["z"]}},
                {"as-groups": ["g"]},
                {"as": "zoe", "as-uid": 7},
                {"as": "zoe", "as-groups": "g"},
            ]
        ),
    ),
    given_or_not({"Token": st.just("not this"), "auth": st.just([1])}),
)  # fmt: skip


def entries(part: str, values: Sections) -> st.SearchStrategy[list[Section]]:
    several = st.lists(st.sampled_from(NAMES), max_size=2, unique=True)
    names = mostly(st.just(list(NAMES)), several | st.lists(st.sampled_from(NAMES), max_size=3))

    def with_values(chosen: list[str]) -> st.SearchStrategy[list[Section]]:
        found = [st.fixed_dictionaries({"name": st.just(name), part: values}) for name in chosen]
        return st.tuples(*found).map(list)

    return names.flatmap(with_values)


CONTEXTS = merged(
    st.fixed_dictionaries(
        {
            "cluster": mostly(st.sampled_from(NAMES), st.just("c")),
            "user": mostly(st.sampled_from(NAMES), st.just("c")),
        }
    ),
    given_or_not({"namespace": st.sampled_from(["web", "", None])}),
)


def files(servers: Servers) -> st.SearchStrategy[list[Section | str | None]]:
    whole = merged(
        st.fixed_dictionaries(
            {
                "current-context": mostly(st.sampled_from(NAMES), st.sampled_from(["", None, "c", 1])),
                "contexts": entries("context", CONTEXTS),
                "clusters": entries("cluster", clusters(servers)),
                "users": entries("user", USERS),
            }
        ),
        mostly(st.just({}), st.sampled_from([{"kind": "Pod"}, {"apiVersion": "v2"}, {"preferences": []}])),
    )
    odd = st.sampled_from([None, "", "clusters: [", "- a", "\x00", "current-context: 2020-01-01", "a: b: c"])
    return st.lists(mostly(whole, odd), min_size=1, max_size=3)


def laid_out(folder: Path, servers: Servers, described: list[Section | str | None]) -> str:
    """Write the files, each in a folder of its own; a missing one stays missing. Gives KUBECONFIG."""
    shutil.rmtree(folder, ignore_errors=True)
    paths: list[str] = []
    for number, one in enumerate(described):
        place = folder / str(number)
        for beside in (place, folder / "files"):
            beside.mkdir(parents=True, exist_ok=True)
            (beside / "ca1.crt").write_bytes(servers.first.authority)
            (beside / "ca2.crt").write_bytes(servers.second.authority)
            (beside / "token").write_text(" from-file\n")
        path = place / "config"
        if one is not None:
            path.write_text(one if isinstance(one, str) else yaml.dump(one, Dumper=yaml.CSafeDumper))
        paths.append(str(path))
    return os.pathsep.join(paths)


def taken(servers: Servers) -> list[tuple[int, Asked]]:
    """What came to either server, and forget it."""
    found = [(1, each) for each in servers.first.asked] + [(2, each) for each in servers.second.asked]
    servers.first.asked.clear()
    servers.second.asked.clear()
    return [each for each in found if each[1].path == "/asked"]  # Debian's kubectl asks for the version too


async def ours() -> None:
    api = Api(Cluster("main"))
    try:
        await api.json("GET", "/asked", Sending("ask"))
    except KubectlFaultError:
        pass
    finally:
        await api.close()


def test_where_a_request_goes_and_as_whom_is_what_kubectl_does(
    servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, soak: bool
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GOGC", "off")  # a program this short needs no collector
    reached = 0

    @settings(
        max_examples=MORE_EXAMPLES if soak else EXAMPLES,
        deadline=None,
        phases=(Phase.explicit, Phase.reuse, Phase.generate),  # each example runs a program
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    @given(files(servers))
    def holds(described: list[Section | str | None]) -> None:
        nonlocal reached
        listed = laid_out(tmp_path / "kube", servers, described)
        monkeypatch.setenv("KUBECONFIG", listed)
        run = subprocess.run(
            ["kubectl", "get", "--raw", "/asked"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )
        theirs = taken(servers)
        if "Please enter Username" in run.stdout + run.stderr:
            return
        asyncio.run(ours())
        assert taken(servers) == theirs, run.stderr
        reached += bool(theirs)

    holds()
    assert reached > 0
