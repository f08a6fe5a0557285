"""Prompts, comments, continued lines and shown output are told apart."""

import pytest

from breakglass.importer.page import CodeBlock
from breakglass.importer.transcript import Command, Other, entries_of, inline_command


def _commands(text: str, language: str = "") -> list[str]:
    return [each.text for each in entries_of(CodeBlock(text, language, 1)) if isinstance(each, Command)]


@pytest.mark.parametrize(
    ("text", "language", "commands"),
    [
        ("$ uptime\n 10:00 up 1 day\n$ df -h\n", "console", ["uptime", "df -h"]),
        (
            "# systemctl restart nfs-server\n# exportfs -ra\n",
            "",
            ["systemctl restart nfs-server", "exportfs -ra"],
        ),
        ("# the server first\nsystemctl status nfs-server\n", "sh", ["systemctl status nfs-server"]),
        ("root@pve1:~# qm list\n VMID NAME\n", "", ["qm list"]),
        ("[root@db-1 ~]# df -h\n", "", ["df -h"]),
        ("db-01-prod $ clusterctl list\n| a |\n", "", ["clusterctl list"]),
        ("➜  ~ gcloud info\n", "", ["gcloud info"]),
        ("> uptime\n> df\n", "", ["uptime", "df"]),
        ("kubectl get pods \\\n  -n web\n", "bash", ["kubectl get pods \\\n  -n web"]),
        ("kubectl get pods |\n  grep web\n", "bash", ["kubectl get pods |\n  grep web"]),
        (
            "cat > a.json <<'EOF'\n{\n  \"b\": 1\n}\nEOF\nls\n",
            "sh",
            ["cat > a.json <<'EOF'\n{\n  \"b\": 1\n}\nEOF", "ls"],
        ),
        ("for i in 1 2; do\n  echo $i\ndone\nls\n", "sh", ["for i in 1 2; do\n  echo $i\ndone", "ls"]),
        ("aws put --config '{\n  \"a\": 1\n}'\n", "bash", ["aws put --config '{\n  \"a\": 1\n}'"]),
        ("kubectl get pods\nNAME   READY\nweb    1/1\n", "", ["kubectl get pods"]),
        ("vault operator unseal # first key\n", "sh", ["vault operator unseal"]),
        ("pod/web deleted\n", "bash", []),
        ("web-0   1/1     Running\n", "bash", []),
        ("can't open it\nls -l\n", "bash", ["ls -l"]),
        ("rate(errors_total[5m]) > 1\n", "console", []),
        ("node_timex_sync_status\n", "console", []),
        ("kind: ConfigMap\n", "yaml", []),
        ("mysql> show processlist;\n", "", []),
        ("PS C:\\> Get-Queue\n", "", []),
        ("notAfter=Aug  6 13:11:20 2025 GMT\n", "shell", []),
    ],
)
def test_the_commands_of_a_block_are_found_and_nothing_else(
    text: str, language: str, commands: list[str]
) -> None:
    assert _commands(text, language) == commands


def test_what_is_no_command_is_kept_as_text() -> None:
    assert entries_of(CodeBlock("kind: ConfigMap\ndata: {}\n", "yaml", 7)) == (
        Other("kind: ConfigMap\ndata: {}", 7),
    )


def test_comments_go_to_the_command_that_they_stand_before_or_describe() -> None:
    first, second = entries_of(CodeBlock("# look\nuptime\n# expected: up\n# move\nls -l\n", "sh", 1))
    assert isinstance(first, Command) and isinstance(second, Command)
    assert (first.comments, first.expected) == (("look",), ("expected: up", "move"))
    first, second = entries_of(CodeBlock("uptime\n# expected: up\n\n# move\nls -l\n", "sh", 1))
    assert isinstance(first, Command) and isinstance(second, Command)
    assert (first.expected, second.comments) == (("expected: up",), ("move",))


def test_a_prompt_that_names_a_host_says_where_the_command_runs() -> None:
    (found,) = entries_of(CodeBlock("root@pve1:~# qm list\n", "", 1))
    assert isinstance(found, Command) and found.host == "pve1"


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("- `kubectl get nodes -o wide`", "kubectl get nodes -o wide"),
        ("2. Run `sudo systemctl status kubelet`.", "sudo systemctl status kubelet"),
        ("1. Stop PostgreSQL: `gitlab-ctl stop postgresql`", "gitlab-ctl stop postgresql"),
        ("The file is `values.yaml`.", ""),
        ("`kubectl`", ""),
        ("- Look at `df -h` and at the log.", ""),
        ("Its form is: `some words here`", ""),
    ],
)
def test_a_line_of_prose_that_ends_in_a_command_is_one(text: str, command: str) -> None:
    assert inline_command(text) == command
