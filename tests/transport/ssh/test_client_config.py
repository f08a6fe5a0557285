"""`ssh_config`: what the real `ssh -G` says is what we read."""

from pathlib import Path

import pytest

from breakglass.site.model import Host, Site
from breakglass.transport.ssh.ask_openssh import ask, openssh
from breakglass.transport.ssh.client_config import read
from breakglass.transport.ssh.config_file import ClientConfigError
from breakglass.transport.ssh.route import RouteError, route_to
from breakglass.transport.ssh.settings import KNOWN_HOSTS_FILES, settings_of
from tests.support.openssh import OpenSsh
from tests.transport.ssh.support import run, transport


def configured(file: Path, alias: str, user: str | None = None) -> dict[str, list[str]]:
    """What our own reading finds."""
    return {
        keyword: [each.text for each in values] for keyword, values in read(alias, file, user, None).items()
    }


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
    theirs = settings_of(alias, file)
    ours = configured(file, alias)
    assert ours == {keyword: list(theirs.values[keyword]) for keyword in ours}
    assert theirs.configured <= ours.keys()


def test_without_ssh_the_settings_are_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "config"
    file.write_text(
        "Host pve\n  HostName 10.0.0.1\n  HostKeyAlias Pve\n  ConnectTimeout 1m\n"
        f'  UserKnownHostsFile "{tmp_path}/two words" {tmp_path}/%k\n  ProxyJump ops@gate:2222\n'
    )
    asked = settings_of("pve", file)
    monkeypatch.setenv("PATH", str(tmp_path))
    read_alone = settings_of("pve", file)
    del read_alone.values["identityfile"]  # type: ignore[attr-defined]  # each version of ssh has its own
    assert read_alone.values == {keyword: asked.values[keyword] for keyword in read_alone.values}
    assert read_alone.values["userknownhostsfile"] == (f"{tmp_path}/two words", f"{tmp_path}/pve")


@pytest.mark.parametrize("text", ["", "# nothing\n\n"])
def test_a_file_without_a_line_is_what_ssh_makes_of_it(tmp_path: Path, text: str) -> None:
    """`ssh` is not asked for each host then; what it says for one serves for all."""
    file = tmp_path / "config"
    file.write_text(text)
    program = openssh()
    assert program is not None
    asked = ask(program, "PVE", file, "ops", 2222)
    found = settings_of("PVE", file, "ops", 2222)
    joined = {keyword: (" ".join(found.values[keyword]),) for keyword in KNOWN_HOSTS_FILES}
    assert {**found.values, **joined} == asked
    assert not found.configured


def test_a_user_that_is_given_is_matched_as_on_a_command_line(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text("Match user ops\n  Port 2222\nMatch user root\n  Port 1\n")
    assert settings_of("pve", file, "ops").first("port") == "2222"
    assert configured(file, "pve", "ops")["port"] == ["2222"]


@pytest.mark.parametrize("condition", ["tagged x", "host pve version 9*", "fancy"])
def test_a_condition_that_is_not_known_stops_with_its_name(tmp_path: Path, condition: str) -> None:
    file = tmp_path / "config"
    file.write_text(f"Match {condition}\n  User wrong\n")
    name = condition.split()[-2] if " " in condition else condition
    with pytest.raises(ClientConfigError, match=f"{file}:1: .*Match {name}"):
        read("pve", file, None, None)


def test_an_option_that_is_not_known_stops_with_its_name_unless_it_is_to_be_ignored(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text("Host pve\n  LeadElsewhere yes\n")
    with pytest.raises(ClientConfigError, match=f"{file}:2: the option leadelsewhere is not understood"):
        read("pve", file, None, None)
    with pytest.raises(ClientConfigError, match="leadelsewhere"):
        settings_of("pve", file)
    file.write_text("IgnoreUnknown Lead*,other\nHost pve\n  leadElsewhere yes\n".replace("Lead*", "lead*"))
    assert settings_of("pve", file).first("hostname") == "pve"
    assert "leadelsewhere" not in configured(file, "pve")


def test_an_option_of_a_later_ssh_that_is_not_known_here_stops_with_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = tmp_path / "ssh"
    later.write_text(
        '#!/bin/sh\necho "hostname pve"\ncase "$*" in *none*) echo "leadelsewhere no";; '
        '*) echo "leadelsewhere yes";; esac\n'
    )
    later.chmod(0o755)
    file = tmp_path / "config"
    file.write_text("Host *\n  LeadElsewhere yes\n")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(ClientConfigError, match="the option leadelsewhere is not known to breakglass"):
        settings_of("pve", file)


def test_an_ssh_that_cannot_be_asked_counts_as_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "ssh"
    other.write_text('#!/bin/sh\necho "unknown option -G" >&2\nexit 1\n')
    other.chmod(0o755)
    file = tmp_path / "config"
    file.write_text("Host pve\n  HostName 10.0.0.1\n")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert settings_of("pve", file).first("hostname") == "10.0.0.1"


def test_without_ssh_a_name_that_would_be_looked_up_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "config"
    file.write_text("Host pve\n  CanonicalizeHostname yes\n  CanonicalDomains lab.example\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ClientConfigError, match=f"{file}:2: only `ssh` does CanonicalizeHostname"):
        settings_of("pve", file)
    assert settings_of("other", file).first("hostname") == "other"


def test_an_ssh_that_does_not_answer_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "config"
    file.write_text(f'Match exec "touch {tmp_path}/begun; sleep 1000"\n  User me\n')
    monkeypatch.setattr("breakglass.transport.ssh.ask_openssh.DEADLINE", 0.5)
    with pytest.raises(ClientConfigError, match="`Match exec` may hang"):
        settings_of("pve", file)


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
    for alias, port in (("pve", "1"), ("other", "2")):
        assert settings_of(alias, file).first("port") == port
        assert configured(file, alias)["port"] == [port]
    assert capfd.readouterr() == ("", "")
    assert not (tmp_path / "touched").exists(), "a command must not run for a host that it is not about"


def test_the_files_of_the_user_are_read_by_themselves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The home is the one of the users' database, as `ssh` has it."""
    monkeypatch.setattr("breakglass.transport.ssh.config_file.home", lambda: tmp_path)
    folder = tmp_path / ".ssh"
    (folder / "conf.d").mkdir(parents=True)
    (folder / "config").write_text("Include conf.d/*\nHost *\n  User last\n")
    (folder / "conf.d" / "one").write_text("Host pve\n  User one\n  IdentityFile ~/.ssh/special\n")
    found = read("pve", None, None, None)
    assert [each.text for each in found["user"]] == ["one"]
    assert [each.text for each in found["identityfile"]] == ["~/.ssh/special"]
    assert [each.text for each in read("other", None, None, None)["user"]] == ["last"]
    (folder / "config").chmod(0o666)
    with pytest.raises(ClientConfigError, match=f"{folder}/config: others own it or may write it"):
        read("pve", None, None, None)


def test_a_file_that_includes_itself_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text(f"Include {file}\n")
    with pytest.raises(ClientConfigError, match="may include itself"):
        read("pve", file, None, None)


@pytest.mark.parametrize("text", ["Match host\n", 'Host "unclosed\n', "Match exec\n"])
def test_a_line_that_cannot_be_read_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "config"
    file.write_text("# first\n" + text)
    with pytest.raises(ClientConfigError, match=f"{file}:2: "):
        read("pve", file, None, None)


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


def test_a_bastion_that_matches_its_own_rule_stops_as_ssh_does(tmp_path: Path) -> None:
    text = "Host *\n  User ops\n  ProxyJump bastion\n"
    with pytest.raises(RouteError, match="jumphost loop via bastion"):
        routes(tmp_path, text, Host("box", "pve"))
    text = "Host * !bastion\n  ProxyJump bastion\nHost *\n  User ops\n"
    assert routes(tmp_path, text, Host("box", "pve")) == ["ops@bastion:22", "ops@pve:22"]


def test_tokens_in_a_jump_are_those_of_the_host_that_it_leads_to(tmp_path: Path) -> None:
    text = "Host pve\n  HostName pve.lab\n  User ops\n  ProxyJump %r@gate-%n\nHost gate*\n  Port 23\n"
    assert routes(tmp_path, text, Host("box", "pve")) == ["ops@gate-pve:23", "ops@pve.lab:22"]


@pytest.mark.parametrize(
    ("text", "hosts", "words"),
    [
        ("Host a\n  ProxyJump b\nHost b\n  ProxyJump a\n", [Host("box", "a")], "circle"),
        ("", [Host("box", "x", jump=("box",))], "circle"),
        ("", [Host("box", "x", jump=("absent",))], "'absent' is not in the site; it has: box"),
        ("ProxyCommand nc %h %C\n", [Host("box", "x")], "ProxyCommand nc %h %C: the token %C is not"),
        ("PubkeyAuthentication no\n", [Host("box", "x")], "sets pubkeyauthentication false"),
        (
            "IdentityFile ${BG_NOT_SET}/id\n",
            [Host("box", "x")],
            "host box: identityfile .* BG_NOT_SET is not set",
        ),
        ("ProxyUseFdpass yes\n", [Host("box", "x")], "sets proxyusefdpass yes, which breakglass does not do"),
        (
            "MACs umac-128@openssh.com\n",
            [Host("box", "x")],
            "allows only MACs umac-128@openssh.com, and .* add one of hmac",
        ),
        ("ProxyJump user@:22\n", [Host("box", "x")], 'line 1: Invalid ProxyJump "user@:22"'),
        ("Port many\n", [Host("box", "x")], "line 1: Bad port 'many'"),
        ("Port 99999\n", [Host("box", "x")], "line 1: Bad port '99999'"),
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
