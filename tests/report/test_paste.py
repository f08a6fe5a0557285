"""A copied command is one that a shell takes, with every argument as it was."""

import shlex
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakglass.journal import events as e
from breakglass.report.paste import pasted


def prepared(kind: str, command: str, where: str) -> e.ActionPrepared:
    return e.ActionPrepared("pod", 1, kind, command, where, "read", 9.0)


@pytest.mark.parametrize(
    ("kind", "command", "where", "words"),
    [
        (
            "kubectl",
            "kubectl get pods -l 'a in (b)'",
            "cluster main",
            ["kubectl", "get", "pods", "-l", "a in (b)"],
        ),
        (
            "ssh",
            "sudo -n -- umount -l '/a b'",
            "ops@node3 (10.0.0.3:2222)",
            ["ssh", "-p", "2222", "ops@10.0.0.3", "sudo -n -- umount -l '/a b'"],
        ),
        ("ssh", "uptime", "node3 (fd00::3)", ["ssh", "fd00::3", "uptime"]),
        ("ssh", "uptime", "node3 ([fd00::3]:22)", ["ssh", "-p", "22", "fd00::3", "uptime"]),
        (
            "http",
            'POST https://app.lab/x?a=1&b=2\nContent-Type: application/json\n{"a": "it\'s"}',
            "endpoint app (pinned to 10.0.0.1) TLS NOT VERIFIED",
            [
                *("curl", "-sS", "-i", "-X", "POST", "--insecure", "--resolve", "app.lab:443:10.0.0.1"),
                *("-H", "Content-Type: application/json", "--data-raw", '{"a": "it\'s"}'),
                "https://app.lab/x?a=1&b=2",
            ],
        ),
        ("http", "GET http://app.lab:81", "endpoint app", ["curl", "-sS", "-i", "http://app.lab:81"]),
    ],
)
def test_a_shell_reads_the_words_that_were_sent(
    kind: str, command: str, where: str, words: list[str]
) -> None:
    where_it_belongs, line = pasted(prepared(kind, command, where)).split("\n", 1)
    assert where_it_belongs == f"# on {where}"
    assert shlex.split(line) == words


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"], exclude_characters="\ufeff")))
def test_nothing_in_a_remote_command_reaches_the_local_shell(text: str) -> None:
    line = pasted(prepared("ssh", text, "ops@node3 (10.0.0.3)")).split("\n", 1)[1]
    assert shlex.split(line)[-1] == text


def test_a_manifest_is_fed_to_the_command_that_applies_it() -> None:
    manifest = "kind: ConfigMap\ndata: {a: $(id)}\nEND"
    lines = pasted(prepared("kubectl", f"kubectl apply --server-side -f -\n{manifest}", "cluster main"))
    shell = lines.replace("kubectl apply --server-side -f -", "cat")
    assert (
        subprocess.run(["sh", "-c", shell], capture_output=True, text=True, check=True).stdout
        == f"{manifest}\n"
    )


def test_what_is_not_in_the_record_is_said_and_a_place_is_one_line() -> None:
    said = pasted(prepared("local", "cat", "this machine\nrm -rf /"), stdin=True)
    assert said.split("\n") == [
        "# on this machine\\nrm -rf /",
        "# its standard input is in the runbook, and not here",
        "cat",
    ]
