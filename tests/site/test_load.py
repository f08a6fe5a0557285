import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from breakglass.cli.main import main
from breakglass.site.load import load_site, read_site, site_schema
from breakglass.site.model import (
    BasicLogin,
    Cluster,
    CommandSecret,
    Endpoint,
    EnvironmentSecret,
    FileSecret,
    Host,
    KeyringSecret,
    KubernetesSecret,
    PortForward,
    PromptSecret,
    SharedLease,
    Site,
)
from breakglass.yamlio.position import InvalidFileError
from breakglass.yamlio.shape import plain
from breakglass.yamlio.source import parse
from tests.runbook.test_json_schema import faults

COMMITTED = Path(__file__).parents[2] / "runbooks" / "site.schema.json"
EVERYTHING = """\
site: home-lab
description: Two racks.
production: false
lease: {cluster: main, namespace: ops}
clusters:
  main: {kubeconfig: kube/config, context: admin, server: "https://10.0.20.100:6443", impersonate: viewer}
  spare: {proxy: "http://10.0.10.1:3128"}
hosts:
  pve:
    address: 192.168.1.127
    port: 52222
    user: root
    identity: ~/.ssh/id_ed25519
    certificate: id_ed25519-cert.pub
    known_hosts: /etc/known
    ssh_config: ssh_config
    forced_command: true
    connections_per_minute: 3
  node1: {address: 10.0.20.101, jump: pve}
  node2: {address: 10.0.20.102, jump: [node1, pve]}
  node3: 10.0.20.103
endpoints:
  vault:
    url: https://vault.lab.example
    resolve: 10.0.20.200
    ca: ca.crt
    client_certificate: client.crt
    client_key: client.key
    headers: {X-Number: 1}
    bearer: vault_token
  registry: {url: "https://10.0.20.10:5050", verify_tls: false, basic: {user: ops, password: registry}}
  prometheus:
    url: http://prometheus-server
    forward: {cluster: main, namespace: monitoring, target: svc/prometheus-server, port: 80}
secrets:
  vault_token: {env: VAULT_TOKEN}
  from_file: {file: ~/token}
  registry: {command: [pass, show, registry]}
  keyring: {keyring: {service: vault, account: root}}
  unseal: {kubernetes: {cluster: main, namespace: vault, name: vault-unseal-key, key: unseal-key}}
  asked: {prompt: The unseal key}
variables:
  nodes: [{name: node1, vmid: 201}]
"""

SNIPPETS = [
    *("", "\n", "~", "[]", "{}", "1", "-1", "'", "&a ", "*a", "- ", ": ", "#", "\0", "\u202e", "\ud800", "x"),
    *("https://[", "http://:1", "::1", "1.2.3.4", "~nobody-here/x", "svc/", "pve", "jump: node2", "{env: A}"),
]


def written(folder: Path, text: str) -> Path:
    path = folder / "site.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def problems(text: str) -> list[str]:
    """What is wrong with a site, without the file's name."""
    _, found = read_site(text, Path("site.yaml"))
    return [str(problem).removeprefix("site.yaml:") for problem in found]


def problem(text: str) -> str:
    (only,) = problems(text)
    return only


def test_every_field_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ops")
    path = written(tmp_path, EVERYTHING)
    assert load_site(path) == Site(
        name="home-lab",
        path=path,
        description="Two racks.",
        production=False,
        clusters={
            "main": Cluster("main", tmp_path / "kube/config", "admin", "https://10.0.20.100:6443", "viewer"),
            "spare": Cluster("spare", proxy="http://10.0.10.1:3128"),
        },
        hosts={
            "pve": Host(
                "pve",
                "192.168.1.127",
                52222,
                "root",
                Path("/home/ops/.ssh/id_ed25519"),
                tmp_path / "id_ed25519-cert.pub",
                (),
                Path("/etc/known"),
                tmp_path / "ssh_config",
                True,
                3,
            ),
            "node1": Host("node1", "10.0.20.101", jump=("pve",)),
            "node2": Host("node2", "10.0.20.102", jump=("node1", "pve")),
            "node3": Host("node3", "10.0.20.103"),
        },
        endpoints={
            "vault": Endpoint(
                "vault",
                "https://vault.lab.example",
                "10.0.20.200",
                tmp_path / "ca.crt",
                True,
                tmp_path / "client.crt",
                tmp_path / "client.key",
                {"X-Number": "1"},
                "vault_token",
            ),
            "registry": Endpoint(
                "registry", "https://10.0.20.10:5050", verify_tls=False, basic=BasicLogin("ops", "registry")
            ),
            "prometheus": Endpoint(
                "prometheus",
                "http://prometheus-server",
                forward=PortForward("main", "monitoring", "svc/prometheus-server", 80),
            ),
        },
        secrets={
            "vault_token": EnvironmentSecret("VAULT_TOKEN"),
            "from_file": FileSecret(Path("/home/ops/token")),
            "registry": CommandSecret(("pass", "show", "registry")),
            "keyring": KeyringSecret("vault", "root"),
            "unseal": KubernetesSecret("main", "vault", "vault-unseal-key", "unseal-key"),
            "asked": PromptSecret("The unseal key"),
        },
        variables={"nodes": [{"name": "node1", "vmid": 201}]},
        lease=SharedLease("main", "ops"),
    )


def test_a_lease_is_in_a_cluster_of_the_site(tmp_path: Path) -> None:
    path = written(tmp_path, "site: s\nclusters: {main: {}}\nlease: {cluster: main}\n")
    assert load_site(path).lease == SharedLease("main", "default")
    assert problems("site: s\nclusters: {main: {}}\nlease: {cluster: mane}\n") == [
        "3:18: the site has no cluster 'mane'; did you mean 'main'?"
    ]


def test_a_site_needs_only_its_name(tmp_path: Path) -> None:
    path = written(tmp_path, "site: s\n")
    assert load_site(path) == Site("s", path)
    assert load_site(path).production


def test_every_problem_is_found_at_once_with_its_place() -> None:
    assert problems(
        """\
site: s
cluster: {main: {}}
hosts:
  a: {address: 10.0.0.1, jump: [b, nope]}
  b: {address: 10.0.0.2, jmp: a, port: 70000}
endpoints:
  e: {url: "ftp://x", bearer: tokn, client_key: k}
secrets:
  token: {env: TOKEN}
"""
    ) == [
        "2:1: unknown key 'cluster' in a site; did you mean 'clusters'?",
        "4:33: jump goes in a circle: a → b → a",
        "4:36: the site has no host 'nope'; known: a, b",
        "5:26: unknown key 'jmp' in a host; did you mean 'jump'?",
        "5:40: expected a whole number from 1 to 65535, not the number 70000",
        "7:12: 'ftp://x' is not an http or https URL without query; it must match https?://[^\\s?#]+",
        "7:31: the site has no secret 'tokn'; did you mean 'token'?",
        "7:49: a client_key needs its client_certificate",
    ]


def test_a_jump_to_an_unknown_host_names_the_nearest() -> None:
    text = "site: s\nhosts:\n  node1: 10.0.0.1\n  node2: {address: 10.0.0.2, jump: nod1}\n"
    assert problem(text) == "4:36: the site has no host 'nod1'; did you mean 'node1'?"


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        ("  a: {address: x, jump: a}\n", "3:25: jump goes in a circle: a → a"),
        (
            "  a: {address: x, jump: b}\n  b: {address: x, jump: c}\n"
            "  c: {address: x, jump: [d, a]}\n  d: x\n",
            "3:25: jump goes in a circle: a → b → c → a",
        ),
    ],
)
def test_a_host_reached_through_itself_is_said_once(hosts: str, expected: str) -> None:
    assert problem(f"site: s\nhosts:\n{hosts}") == expected


def test_two_ways_to_one_host_are_no_circle() -> None:
    text = "site: s\nhosts:\n  a: x\n  b: {address: x, jump: a}\n  c: {address: x, jump: [a, b]}\n"
    assert problems(text) == []


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        ("{url: vault.lab.example}", "'vault.lab.example' is not an http or https URL"),
        ("{url: 'https://'}", "is not an http or https URL"),
        ("{url: 'https://:8200'}", "it has no host"),
        ("{url: 'https://vault:82000'}", "is not a URL"),
        ("{url: 'https://[fe80'}", "is not a URL"),
        ("{url: 'https://vault/?a=b'}", "without query"),
        ("{url: 'https://ops:hunter2@vault'}", "a URL holds no login; use `basic`"),
        ("{url: 'https://vault', resolve: vault.lab.example}", "is not an IP address"),
        ("{url: 'https://vault', client_key: k.pem}", "a client_key needs its client_certificate"),
        ("{url: 'https://vault', bearer: nope}", "the site has no secret 'nope'; did you mean 'note'?"),
        ("{url: 'https://vault', basic: {user: a, password: nope}}", "the site has no secret 'nope'"),
        ("{url: 'https://vault', basic: {user: a}}", "needs 'password'"),
        ("{url: 'https://vault', bearer: note, basic: {user: a, password: note}}", "one of bearer or basic"),
        ("{url: 'https://vault', headers: {'a b': c}}", "is not a header's name"),
        ('{url: "https://vault", headers: {a: "b\\nc"}}', "is not a value of one line"),
        (
            "{url: 'http://x', forward: {cluster: man, namespace: n, target: svc/x, port: 80}}",
            "the site has no cluster 'man'; did you mean 'main'?",
        ),
        (
            "{url: 'http://x', resolve: 10.0.0.1,"
            " forward: {cluster: main, namespace: n, target: svc/x, port: 80}}",
            "a port-forward has its own address",
        ),
        (
            "{url: 'http://x', forward: {cluster: main, namespace: n, target: x, port: 80}}",
            "is not svc/NAME or pod/NAME",
        ),
        ("{resolve: 10.0.0.1}", "an endpoint needs 'url'"),
    ],
)
def test_what_is_wrong_with_an_endpoint_is_said(endpoint: str, expected: str) -> None:
    said = problem(
        "site: s\nclusters: {main: {}}\nsecrets: {note: {env: NOTE}}\n"
        f"endpoints:\n  vault: {endpoint}\n"
    )
    assert said.startswith("5:") and expected in said
    assert "hunter2" not in said


@pytest.mark.parametrize(
    ("secret", "expected"),
    [
        ("hunter2", "a secret is not written here"),
        ("[hunter2]", "a secret is not written here"),
        ("{}", "needs one of env, file, command, keyring, kubernetes, prompt"),
        ("{env: A, file: b}", "has one of env or file, not several"),
        ("{environment: A}", "unknown key 'environment'"),
        ("{env: not a variable}", "is not a variable's name"),
        ("{command: pass show hunter}", "expected a list of words, the program first"),
        ("{command: []}", "this one is empty"),
        ("{keyring: {service: a}}", "needs 'account'"),
        ("{kubernetes: {cluster: main, namespace: n, name: x, key: y}}", "the site has no cluster 'main'"),
    ],
)
def test_what_is_wrong_with_a_secret_is_said(secret: str, expected: str) -> None:
    said = problems(f"site: s\nsecrets:\n  token: {secret}\n")
    assert all(each.startswith("3:") for each in said) and expected in " ".join(said)
    assert not any("hunter2" in each for each in said)


def test_a_reference_to_a_part_that_cannot_be_read_is_not_a_second_problem() -> None:
    text = "site: s\nhosts:\n  a: {}\n  b: {address: x, jump: a}\n"
    assert problem(text) == "3:6: a host needs 'address'"


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        ("{url: 'https://v', verify_tls: false}", "verify_tls: false trusts whoever answers"),
        ("{url: 'https://v', headers: {Authorization: Bearer x}}", "Authorization looks like a secret"),
        ("{url: 'http://v', bearer: t}", "would cross the network in the clear"),
    ],
)
def test_what_is_unwise_is_a_warning_and_the_site_is_used(
    endpoint: str, expected: str, tmp_path: Path
) -> None:
    text = f"site: s\nsecrets: {{t: {{env: T}}}}\nendpoints:\n  v: {endpoint}\n"
    said = problem(text)
    assert "warning: " in said and expected in said
    assert load_site(written(tmp_path, text)).endpoints["v"].name == "v"


def test_a_login_over_plain_http_on_loopback_is_no_warning() -> None:
    text = "site: s\nsecrets: {t: {env: T}}\nendpoints:\n  v: {url: 'http://127.0.0.1:8200', bearer: t}\n"
    assert problems(text) == []


def test_a_file_that_is_no_site_is_one_clear_problem(tmp_path: Path) -> None:
    with pytest.raises(InvalidFileError, match="a site needs 'site'"):
        load_site(written(tmp_path, "hosts: {}\n"))
    with pytest.raises(InvalidFileError, match="not YAML"):
        load_site(written(tmp_path, "site: [\n"))
    with pytest.raises(InvalidFileError, match="cannot be read"):
        load_site(tmp_path / "nowhere.yaml")


def test_lint_says_what_is_wrong_with_a_site(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, "site: s\nendpoints:\n  v: {url: 'https://v', verify_tls: false, bearer: x}\n")
    assert main(["lint", str(path)]) == 2
    said = capsys.readouterr().out
    assert f"{path}:3:37: warning: verify_tls: false" in said
    assert f"{path}:3:52: the site has no secret 'x'" in said
    assert "1 file: 1 error, 1 warning" in said


def test_lint_knows_a_site_without_its_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint", str(written(tmp_path, "clusters: {main: {}}\n"))]) == 2
    assert "a site needs 'site'" in capsys.readouterr().out


def test_lint_accepts_a_site_with_warnings_unless_it_is_strict(tmp_path: Path) -> None:
    path = written(tmp_path, "site: s\nendpoints:\n  v: {url: 'https://v', verify_tls: false}\n")
    assert main(["lint", str(path)]) == 0
    assert main(["lint", "--strict", str(path)]) == 2


def test_the_committed_schema_is_current() -> None:
    assert COMMITTED.read_text(encoding="utf-8") == json.dumps(site_schema(), indent=2) + "\n"


def test_a_site_with_every_construct_fits_the_schema() -> None:
    assert list(faults(site_schema(), plain(parse(EVERYTHING, Path("site.yaml"))))) == []


@pytest.mark.parametrize(
    "text",
    [
        "hosts: {}\n",
        "site: s\nsurprise: 1\n",
        "site: s\nhosts: {a: {user: root}}\n",
        "site: s\nsecrets: {token: hunter2}\n",
        "site: s\nsecrets: {token: {env: A, file: b}}\n",
        "site: s\nendpoints: {v: {url: vault}}\n",
    ],
)
def test_what_cannot_be_read_does_not_fit_the_schema(text: str) -> None:
    assert list(faults(site_schema(), plain(parse(text, Path("site.yaml"))))) != []


@settings(max_examples=150)
@given(
    st.lists(
        st.tuples(st.integers(0, len(EVERYTHING)), st.integers(0, 30), st.sampled_from(SNIPPETS)),
        min_size=1,
        max_size=4,
    )
)
def test_a_site_with_holes_and_patches_is_read_or_refused(edits: list[tuple[int, int, str]]) -> None:
    text = EVERYTHING
    for start, length, snippet in edits:
        text = text[:start] + snippet + text[start + length :]
    site, found = read_site(text, Path("site.yaml"))
    assert (site is None) == any(not each.warning for each in found)
    assert found == sorted(found)
