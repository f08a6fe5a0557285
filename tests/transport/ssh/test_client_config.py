"""`ssh_config`: what the real `ssh -G` says is what we read."""

import os
import subprocess
from pathlib import Path

import pytest

from breakglass.site.model import Host, Site
from breakglass.transport.ssh.client_config import ClientConfigError, settings_of
from breakglass.transport.ssh.route import RouteError, route_to
from tests.support.openssh import OpenSsh
from tests.transport.ssh.support import run, transport

KEYWORDS = (
    "hostname",
    "port",
    "user",
    "identitiesonly",
    "hostkeyalias",
    "connecttimeout",
    "proxyjump",
    "hashknownhosts",
)
DEFAULTS = {
    "port": "22",
    "identitiesonly": "no",
    "hashknownhosts": "no",
    "connecttimeout": "none",
    "hostkeyalias": None,
    "proxyjump": None,
}


def of_openssh(file: Path, alias: str, *options: str) -> dict[str, str]:
    """What the real program makes of a file; the first value of each keyword."""
    done = subprocess.run(
        ["ssh", "-G", "-F", str(file), *options, alias], capture_output=True, text=True, check=True
    )
    found: dict[str, str] = {}
    for line in done.stdout.splitlines():
        keyword, _, value = line.partition(" ")
        found.setdefault(keyword, value)
    return found


CONFIGURATIONS = {
    "hosts": """\
        Host pve
            HostName 10.0.0.1
            Port 52222
            User ops   # the break-glass account
            IdentitiesOnly yes
        Host node* !node9
            User=core
            ConnectTimeout 7
        Host *
            User nobody
            HashKnownHosts yes
    """,
    "match": """\
        Match host node1,node2
            User one
        Match originalhost=pve user root
            Port 2222
        Host node2
            HostName 10.0.0.2
        Match host 10.0.0.2
            HostKeyAlias second
        Match !host node* all
            User other
        Match final host 10.0.*
            ConnectTimeout 3
        Match all
            IdentitiesOnly yes
    """,
    "include": """\
        Include {folder}/first {folder}/absent {folder}/many/*.conf
        Host pve
            Include {folder}/within
            Port 7
        Host node1 node2
            User late
        Match originalhost node2
            Include "{folder}/nested"
            ConnectTimeout 9
        Host *
            HostKeyAlias last
    """,
}
INCLUDED = {
    "first": "Host node1\n  User first\n  Port 1\n",
    "many/a.conf": "Host node2\nUser many-a\n",
    "many/b.conf": "Host node2\nUser many-b\nPort 22000\nHost *\nIdentitiesOnly yes\n",
    "within": "User within\nHost node3\nPort 3\nHost *\nConnectTimeout 4\n",
    "nested": "Host node*\nHostName 10.9.9.9\nInclude {folder}/deeper\nHost other\nHostName 10.8.8.8\n",
    "deeper": "ProxyJump bastion:2200\n",
}


@pytest.mark.parametrize("alias", ["pve", "node1", "node2", "node3", "node9", "elsewhere"])
@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_we_read_what_ssh_reads(tmp_path: Path, name: str, alias: str) -> None:
    for path, text in INCLUDED.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text.format(folder=tmp_path))
    file = tmp_path / "config"
    file.write_text(CONFIGURATIONS[name].format(folder=tmp_path))
    theirs = of_openssh(file, alias)
    ours = settings_of(alias, file, [])
    expected = {keyword: theirs.get(keyword, DEFAULTS.get(keyword)) for keyword in KEYWORDS}
    user = expected["user"]
    actual = {keyword: ours.get(keyword, DEFAULTS.get(keyword)) for keyword in KEYWORDS}
    actual["user"] = actual["user"] or (user if user == os.environ.get("USER", "root") else None)
    assert actual == expected


def test_a_user_that_is_given_is_matched_as_on_a_command_line(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text("Match user ops\n  Port 2222\nMatch user root\n  Port 1\n")
    assert settings_of("pve", file, [("User", "ops")])["port"] == of_openssh(file, "pve", "-l", "ops")["port"]


def test_a_condition_that_is_not_known_is_not_taken_for_true(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text("Match localnetwork 10.0.0.0/8\n  User wrong\nMatch host pve tagged x\n  User wrong\n")
    assert "user" not in settings_of("pve", file, [])


def test_a_command_decides_where_the_configuration_says_so(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "config"
    file.write_text(
        f"""\
Match exec "echo %n; echo lost >&2; cat; test %n = pve"
    Port 1
Match !exec "test %n = pve"
    Port 2
Match host elsewhere exec "touch {tmp_path}/touched"
    Port 3
"""
    )
    assert settings_of("pve", file, [])["port"] == of_openssh(file, "pve")["port"] == "1"
    assert settings_of("other", file, [])["port"] == of_openssh(file, "other")["port"] == "2"
    assert capfd.readouterr() == ("", "")
    assert not (tmp_path / "touched").exists(), "a command must not run for a host that it is not about"


def test_the_files_of_the_user_are_read_by_themselves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / ".ssh"
    (folder / "conf.d").mkdir(parents=True)
    (folder / "config").write_text("Include conf.d/*\nHost *\n  User last\n")
    (folder / "conf.d" / "one").write_text("Host pve\n  User one\n  IdentityFile ~/.ssh/special\n")
    assert settings_of("pve", None, [])["user"] == "one"
    assert settings_of("pve", None, [])["identityfile"] == [f"{folder}/special"]
    assert settings_of("other", None, [])["user"] == "last"


def test_a_file_that_includes_itself_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text(f"Include {file}\n")
    with pytest.raises(ClientConfigError, match="may include itself"):
        settings_of("pve", file, [])


@pytest.mark.parametrize("text", ["Match host\n", 'Host "unclosed\n', "Match exec\n"])
def test_a_line_that_cannot_be_read_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "config"
    file.write_text("# first\n" + text)
    with pytest.raises(ClientConfigError, match=f"{file}:2: "):
        settings_of("pve", file, [])


def routes(tmp_path: Path, text: str, *hosts: Host) -> list[str]:
    file = tmp_path / "config"
    file.write_text(text)
    site = Site("test", hosts={host.name: host for host in hosts})
    first = hosts[0]
    changed = Host(first.name, first.address, first.port, first.user, jump=first.jump, ssh_config=file)
    return [f"{hop.user}@{hop.endpoint}" for hop in route_to(site, changed)]


def test_jump_hosts_of_the_configuration_are_followed_as_far_as_they_lead(tmp_path: Path) -> None:
    text = """\
Host pve
    HostName 10.0.0.1
    ProxyJump second
Host second
    HostName 10.0.0.2
    ProxyJump first@gate:2200,ssh://third:33
Host third
    ProxyJump none
Host gate
    HostName 10.0.0.3
Host *
    User ops
"""
    assert routes(tmp_path, text, Host("box", "pve")) == [
        "first@10.0.0.3:2200",
        "ops@third:33",
        "ops@10.0.0.2:22",
        "ops@10.0.0.1:22",
    ]


def test_jump_hosts_of_the_site_come_before_those_of_the_configuration(tmp_path: Path) -> None:
    text = "Host pve\n  ProxyJump wrong\nHost *\n  User ops\n"
    hosts = (
        Host("box", "pve", jump=("a", "b")),
        Host("a", "10.0.0.1", user="x"),
        Host("b", "10.0.0.2", user="y"),
    )
    assert routes(tmp_path, text, *hosts) == ["x@10.0.0.1:22", "y@10.0.0.2:22", "ops@pve:22"]


def test_a_bastion_that_matches_its_own_rule_is_reached_directly(tmp_path: Path) -> None:
    text = "Host *\n  User ops\n  ProxyJump bastion\n"
    assert routes(tmp_path, text, Host("box", "pve")) == ["ops@bastion:22", "ops@pve:22"]


@pytest.mark.parametrize(
    ("text", "hosts", "words"),
    [
        ("Host a\n  ProxyJump b\nHost b\n  ProxyJump a\n", [Host("box", "a")], "circle"),
        ("", [Host("box", "x", jump=("box",))], "circle"),
        ("", [Host("box", "x", jump=("absent",))], "'absent' is not in the site; it has: box"),
        ("ProxyCommand nc %h %p\n", [Host("box", "x")], "ProxyCommand is not supported; use ProxyJump"),
        ("ProxyJump user@:22\n", [Host("box", "x")], "is not `\\[user@\\]host\\[:port\\]`"),
        ("Port many\n", [Host("box", "x")], "port 'many' in ssh_config is not a number"),
        ("Port 99999\n", [Host("box", "x")], "port 99999 in ssh_config is not between"),
    ],
)
def test_a_way_that_cannot_be_told_is_an_error(
    tmp_path: Path, text: str, hosts: list[Host], words: str
) -> None:
    with pytest.raises(RouteError, match=words):
        routes(tmp_path, text, *hosts)


async def test_everything_about_a_host_may_stand_in_the_configuration(server: OpenSsh) -> None:
    (server.folder / "more").write_text(
        f"""\
Match host 127.0.0.1
    IdentityFile {server.client_key}
    IdentitiesOnly yes
    UserKnownHostsFile {server.known_hosts} {server.folder}/another
"""
    )
    server.ssh_config.write_text(
        f"""\
Host break-glass
    HostName 127.0.0.1
    Port {server.port}
    User root
    ConnectTimeout 5
Include {server.folder}/more
"""
    )
    host = Host("box", "break-glass", ssh_config=server.ssh_config, connections_per_minute=6000.0)
    async with transport(host) as ssh:
        assert (await run(ssh, "echo in")).stdout == b"in\n"
