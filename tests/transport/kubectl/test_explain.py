"""`site explain` for a cluster: each value of the way in, and the file and line that it is from."""

import hashlib
import json
from pathlib import Path

import pytest

from breakglass.cli.main import main

KUBECONFIG = """\
current-context: night
contexts:
- name: night
  context:
    cluster: prod
    user: me
    namespace: web
clusters:
- name: prod
  cluster:
    server: https://api.test:6443/
    tls-server-name: kubernetes
    certificate-authority: ca.crt
    proxy-url: socks5://u:pa55@proxy:1080
users:
- name: me
  user:
    token: hidden
    as: oncall
    as-groups: [viewers, night]
    as-user-extra: {reason: [page]}
"""


def written(folder: Path, more: str = "") -> Path:
    (folder / "ca.crt").write_text("an authority")
    (folder / "config").write_text(KUBECONFIG)
    site = folder / "site.yaml"
    site.write_text(f"site: lab\nclusters:\n  main:\n    kubeconfig: ./config\n{more}")
    site.chmod(0o600)
    return site


def explained(site: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    assert main(["site", "explain", "main", "--site", str(site), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_each_value_of_the_way_into_a_cluster_is_said_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = explained(written(tmp_path), capsys)
    assert {name: value for name, value in found.items() if name not in ("site", "cluster", "from")} == {
        "context": "night",
        "server": "https://api.test:6443",
        "tls-server-name": "kubernetes",
        "ca-sha256": hashlib.sha256(b"an authority").hexdigest(),
        "user": "me",
        "impersonate": "oncall",
        "impersonate-groups": ["viewers", "night"],
        "impersonate-extra": ["reason=page"],
        "proxy": "socks5://proxy:1080",
        "namespace": "web",
    }
    config = tmp_path / "config"
    assert found["from"] == {
        "context": f"{config}:1",
        "server": f"{config}:11",
        "tls-server-name": f"{config}:12",
        "ca-sha256": f"{config}:13",
        "user": f"{config}:6",
        "impersonate": f"{config}:19",
        "impersonate-groups": [f"{config}:20"] * 2,
        "impersonate-extra": [f"{config}:21"],
        "proxy": f"{config}:14",
        "namespace": f"{config}:7",
    }


def test_what_the_site_says_stands_with_the_sites_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = "    server: https://10.0.0.1:6443\n    impersonate: zoe\n    proxy: http://other:1\n"
    site = written(tmp_path, more)
    found = explained(site, capsys)
    assert [found[name] for name in ("server", "impersonate", "proxy")] == [
        "https://10.0.0.1:6443",
        "zoe",
        "http://other:1",
    ]
    places = found["from"]
    assert isinstance(places, dict)
    assert [places[name] for name in ("server", "impersonate", "proxy")] == [
        f"{site}:5",
        f"{site}:6",
        f"{site}:7",
    ]


def test_no_secret_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["site", "explain", "main", "--site", str(written(tmp_path))]) == 0
    said = capsys.readouterr().out
    assert "hidden" not in said
    assert "pa55" not in said


def test_a_way_that_cannot_be_told_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = written(tmp_path)
    (tmp_path / "config").write_text("current-context: [")
    assert main(["site", "explain", "main", "--site", str(site)]) != 0
    assert f"kubeconfig {tmp_path / 'config'}:" in capsys.readouterr().err
