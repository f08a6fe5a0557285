"""`breakglass site init`: a first site file from what is on the machine, which always loads."""

import io
import json
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakglass.cli.main import main
from breakglass.runbook.model import Uses
from breakglass.site.draft import Context, Contexts, Draft, SshConfigHost, aliases_in, contexts_in, site_text
from breakglass.site.load import load_site, read_site
from breakglass.site.model import Site

KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: admin@home-lab
clusters:
- {name: home-lab, cluster: {server: "https://10.0.20.100:6443"}}
- {name: empty, cluster: {}}
contexts:
- {name: no-such-cluster, context: {cluster: gone, user: admin}}
- {name: no-server, context: {cluster: empty, user: admin}}
- {name: no-such-user, context: {cluster: home-lab, user: nobody}}
- {name: admin@home-lab, context: {cluster: home-lab, user: admin}}
users:
- {name: admin, user: {token: a-secret-that-stays-where-it-is}}
"""
SSH_CONFIG = """\
# machines
Host pve
    HostName 192.168.1.127
    User root
    Port 52222
Host node1 node2
    User ops
    ProxyJump pve
Host github.com
    User git
Include more.d/*
Host *.lan !bad.lan node?
    User everyone
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder with a kubeconfig and an SSH configuration, and nobody at the terminal."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    (tmp_path / ".kube").mkdir()
    (tmp_path / ".kube/config").write_text(KUBECONFIG)
    (tmp_path / ".ssh/more.d").mkdir(parents=True)
    (tmp_path / ".ssh/config").write_text(SSH_CONFIG)
    (tmp_path / ".ssh/more.d/registry").write_text("Host docker-registry\n  HostName 10.0.20.10\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def made(*words: str) -> Site:
    assert main(["site", "init", *words]) == 0
    path = Path("site.yaml")
    text = path.read_text(encoding="utf-8")
    assert read_site(text, path)[1] == []
    return load_site(path)


def test_it_has_the_working_context_and_every_host(home: Path) -> None:
    site = made()
    assert (site.name, site.production) == ("admin-home-lab", True)
    assert list(site.clusters) == ["main"]
    assert site.clusters["main"].context == "admin@home-lab"
    assert site.clusters["main"].kubeconfig == home / ".kube/config"
    assert {name: host.address for name, host in site.hosts.items()} == {
        "pve": "pve",
        "node1": "node1",
        "node2": "node2",
        "docker-registry": "docker-registry",
    }


def test_it_says_what_it_left_out_and_why(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made()
    said = capsys.readouterr()
    assert said.out.startswith("site.yaml: clusters 1, hosts 4.")
    assert "context no-such-cluster left out: it names the cluster 'gone', which is not described" in said.err
    assert "context no-server left out: it names the cluster 'empty', which has no server" in said.err
    assert "context no-such-user left out: it names the user 'nobody', who is not described" in said.err


def test_it_is_commented_and_has_a_stub_for_all_that_runbooks_use(home: Path) -> None:
    made()
    text = Path("site.yaml").read_text()
    assert "pve: {address: pve}  # root@192.168.1.127:52222" in text
    assert "node1: {address: node1}  # ops@node1 through pve" in text
    assert "# server: https://10.0.20.100:6443" in text
    assert '#   vault: {url: "https://vault.example", resolve: 192.0.2.20}  # for vault-raft-recovery' in text
    assert "#   vault_token: {env: VAULT_TOKEN}  # for vault-raft-recovery" in text
    assert "#   nodes: []  # for " in text
    assert "a-secret-that-stays" not in text


def test_what_is_commented_loads_when_it_is_no_longer(home: Path) -> None:
    made()
    text = Path("site.yaml").read_text()
    head, stubs = text[: text.index("# endpoints:")], text[text.index("# endpoints:") :]
    lines = [
        line.removeprefix("# ") if line.startswith(("#  ", "# endpoints:")) else line
        for line in stubs.splitlines()
    ]
    lines = [line.removeprefix("# ") if line in ("# secrets:", "# variables:") else line for line in lines]
    site, problems = read_site(head + "\n".join(lines) + "\n", Path("site.yaml"))
    assert problems == [] and site is not None
    assert {"vault", "sso-api"} <= set(site.endpoints) and "nodes" in site.variables


def test_it_does_not_overwrite(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("site.yaml").write_text("site: precious\n")
    assert main(["site", "init"]) == 2
    assert "site.yaml is there already and is not overwritten" in capsys.readouterr().err
    assert Path("site.yaml").read_text() == "site: precious\n"


def test_it_is_for_its_owner_alone(home: Path) -> None:
    made()
    assert stat.S_IMODE(Path("site.yaml").stat().st_mode) == 0o600


def test_a_folder_that_is_not_there_is_one_clear_line(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["site", "init", "nowhere/site.yaml"]) == 2
    said = "nowhere/site.yaml cannot be written: No such file or directory; give another place"
    assert capsys.readouterr().err.strip() == said


def test_it_is_printed_where_that_is_asked(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["site", "init", "-", "--name", "lab", "--practice"]) == 0
    site, problems = read_site(capsys.readouterr().out, Path("site.yaml"))
    assert problems == [] and site is not None
    assert (site.name, site.production) == ("lab", False)
    assert not Path("site.yaml").exists()


def test_only_what_is_named_is_in_it(home: Path) -> None:
    site = made("--host", "pve", "--host", "github.com", "--context", "admin@home-lab")
    assert list(site.hosts) == ["pve", "github.com"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--host", "pve2"], "--host pve2: there is pve, node1"),
        (["--context", "prod"], "--context prod: there is admin@home-lab"),
        (["--kubeconfig", "none"], "--kubeconfig none: there is no such file"),
        (["--ssh-config", "none"], "--ssh-config none: there is no such file"),
    ],
)
def test_what_is_named_and_not_there_is_one_clear_line(
    home: Path, capsys: pytest.CaptureFixture[str], words: list[str], expected: str
) -> None:
    assert main(["site", "init", *words]) == 2
    assert expected in capsys.readouterr().err
    assert not Path("site.yaml").exists()


def test_other_files_are_named_in_the_site(home: Path) -> None:
    Path("kube.yaml").write_text(KUBECONFIG)
    Path("ssh.conf").write_text("Host far\n  HostName 10.1.1.1\n")
    site = made("--kubeconfig", "kube.yaml", "--ssh-config", "ssh.conf")
    assert site.clusters["main"].kubeconfig == home / "kube.yaml"
    assert site.hosts["far"].ssh_config == home / "ssh.conf"


def test_a_machine_with_neither_gets_a_site_to_fill_in(home: Path) -> None:
    (home / ".kube/config").unlink()
    (home / ".ssh/config").unlink()
    site = made()
    assert (site.name, site.clusters, site.hosts) == ("site", {}, {})


def test_a_broken_kubeconfig_is_said_and_the_rest_is_written(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / ".kube/config").write_text("clusters: [\n")
    assert list(made().hosts) == ["pve", "node1", "node2", "docker-registry"]
    assert f"{home}/.kube/config: not YAML" in capsys.readouterr().err


def test_a_terminal_is_asked_two_questions(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Terminal("lab\nn\n"))
    site = made()
    assert (site.name, site.production) == ("lab", False)


def test_kubeconfigs_are_merged_as_kubectl_merges_them(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("contexts: [{name: a, context: {cluster: c}}]\n")
    two.write_text(
        "current-context: a\ncontexts: [{name: a, context: {cluster: gone}}]\n"
        "clusters: [{name: c, cluster: {server: https://c}}]\n"
    )
    assert contexts_in([one, two]) == Contexts(None, "a", (Context("a", "https://c"),))


def test_an_ssh_configuration_that_includes_itself_ends(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text('Include config\nHost a\nHost=b\nHost "c\nInclude none/*\n')
    assert aliases_in(config) == ("a", "b")


TEXT = st.text(max_size=12)


@given(
    name=TEXT,
    contexts=st.lists(st.builds(Context, TEXT, TEXT, st.just("") | TEXT), max_size=4),
    machines=st.lists(st.builds(SshConfigHost, TEXT, TEXT), max_size=4),
)
def test_whatever_is_on_the_machine_what_is_written_loads(
    name: str, contexts: list[Context], machines: list[SshConfigHost]
) -> None:
    uses = Uses(hosts=("pve",), endpoints=("vault",), secrets=("token",), variables=("nodes",))
    found = Contexts(Path("/kube config"), "", tuple(contexts), (name,))
    text = site_text(Draft(name, True, found, tuple(machines), Path("/ssh: config"), {"a-runbook": uses}))
    site, problems = read_site(text, Path("site.yaml"))
    assert problems == [], json.dumps(text)
    assert site is not None
    usable = [
        each.name for each in contexts if not each.broken and each.name.strip() and each.name.isprintable()
    ]
    assert [each.context for each in site.clusters.values()] == usable
