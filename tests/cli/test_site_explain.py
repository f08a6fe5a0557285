"""`site explain`: how one gets in, under the names of `ssh -G`, with the place of each value."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from breakglass.cli.main import main

CONFIG = """\
Host web1
  HostName 10.0.0.1
  IdentityFile ~/.ssh/%r
  ProxyJump ops@gate:2222
  UserKnownHostsFile "/k/two words" ${BG_KEYS}/%k
Host *
  User me
  IdentityFile /k/id
  ConnectTimeout 7
"""
SITE = """\
site: lab
hosts:
  web1: {address: web1, ssh_config: CONFIG}
  other:
    address: web1
    ssh_config: CONFIG
    user: root
    identity: key
    jump: [web1]
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "config").write_text(CONFIG)
    file = tmp_path / "site.yaml"
    file.write_text(SITE.replace("CONFIG", str(tmp_path / "config")))
    file.chmod(0o600)
    monkeypatch.setenv("BG_KEYS", "/k")
    return file


def explained(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert main(["site", "explain", *words, "--json"]) == 0
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


def test_the_values_are_those_of_ssh_and_each_has_its_line(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "config"
    answer = explained(capsys, "web1", "--site", str(site))
    asked = subprocess.run(
        ["ssh", "-G", "-T", "-F", config, "web1"], capture_output=True, text=True, check=True
    )
    printed = asked.stdout.splitlines()
    for name in (
        "hostname",
        "port",
        "user",
        "proxyjump",
        "identitiesonly",
        "addressfamily",
        "connecttimeout",
    ):
        assert f"{name} {answer[name]}" in printed
    assert [f"identityfile {each}" for each in answer["identityfile"]] == [
        each for each in printed if each.startswith("identityfile ")
    ]
    assert answer["userknownhostsfile"] == ["/k/two words", "/k/web1"]
    assert answer["hops"] == ["gate (ops@gate:2222)", "web1 (me@10.0.0.1:22)"]
    assert answer["from"] == {
        "hostname": f"{config}:2",
        "port": "default",
        "user": f"{config}:7",
        "proxyjump": f"{config}:4",
        "identityfile": [f"{config}:3", f"{config}:8"],
        "identitiesonly": "default",
        "userknownhostsfile": [f"{config}:5"] * 2,
        "globalknownhostsfile": ["default"] * 2,
        "stricthostkeychecking": "default",
        "addressfamily": "default",
        "connecttimeout": f"{config}:9",
    }


def test_what_the_site_says_comes_first_with_its_line(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = explained(capsys, "other", "--site", str(site))
    assert (answer["user"], answer["identityfile"], answer["identitiesonly"], answer["proxyjump"]) == (
        *("root", [str(tmp_path / "key")], "yes", "web1"),
    )
    assert [answer["from"][name] for name in ("user", "identityfile", "identitiesonly", "proxyjump")] == [
        *(f"{site}:7", [f"{site}:8"], f"{site}:8", f"{site}:9"),
    ]


def test_in_words_it_says_which_file_a_value_comes_to(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["site", "explain", "web1", "--site", str(site)]) == 0
    out = capsys.readouterr().out
    assert "~/.ssh/%r (that is " in out and "/.ssh/me)" in out and "config:3]" in out


def test_a_way_that_cannot_be_told_and_a_name_that_is_not_there_are_errors(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["site", "explain", "nobody", "--site", str(site)]) == 2
    assert "it has: web1, other" in capsys.readouterr().err
    (tmp_path / "config").write_text("Host web1\n  Port many\n")
    assert main(["site", "explain", "web1", "--site", str(site)]) == 2
    assert "Bad port 'many'" in capsys.readouterr().err


def test_what_stops_is_told_beside_the_values(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config").write_text("Host web1\n  HostName 10.0.0.1\n  KnownHostsCommand /bin/keys %H\n")
    answer = explained(capsys, "web1", "--site", str(site))
    assert answer["hostname"] == "10.0.0.1" and "hops" not in answer
    assert "ssh_config sets knownhostscommand /bin/keys %H" in answer["stops"]


def test_ssh_is_asked_once_for_each_host_on_the_way(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, program = tmp_path / "asked", tmp_path / "bin" / "ssh"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\nfor last; do :; done\necho "$last" >> {asked}\nexec {shutil.which("ssh")} "$@"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    explained(capsys, "web1", "--site", str(site))
    assert sorted(asked.read_text().split()) == ["gate", "host", "web1"]
