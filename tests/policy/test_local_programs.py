"""Nothing starts on this machine but what the site names, and by whatever name it is judged."""

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakglass.policy.local_programs import CODE_VARIABLES, objection, started_by, started_in
from breakglass.policy.risk import Knowledge, Risk
from breakglass.policy.shell import ShellSyntaxError
from breakglass.policy.site_rules import NOTHING, SiteRules
from breakglass.runbook.risk import judged_local, judged_ssh

PROGRAMS = {
    name: (f"/usr/bin/{name}",)
    for name in ("vault", "dig", "ls", "cat", "sh", "sudo", "env", "xargs", "timeout", "find", "systemctl")
}


@pytest.mark.parametrize(
    "line",
    [
        "vault status",
        "sudo -n -- systemctl restart x",
        "timeout 5 dig example.org",
        "env vault status",
        "sudo -n timeout 5 vault status",
        "xargs ls",
        "sh -c 'echo x; /usr/bin/ls'",
        "find / -exec /usr/bin/ls {} ;",
    ],
)
def test_a_list_may_start_what_the_site_names(line: str) -> None:
    assert objection(started_by(shlex.split(line)), PROGRAMS) == ""


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("rm -rf /x", "add it there: local: {programs: {rm: /usr/bin/rm}}"),
        ("/usr/bin/vault status", "/usr/bin/vault is not a program"),
        ("./vault status", "./vault is not a program"),
        ("sudo -n rm /x", "rm"),
        ("env rm /x", "rm"),
        ("timeout 5 sudo -n rm x", "rm"),
        ("xargs rm", "rm"),
        ("find / -exec rm {} ;", "rm"),
        ("find / -exec ls {} ;", "/usr/bin/ls"),
        ("sh -c 'ls /'", "/usr/bin/ls"),
        ("sh -c 'echo x; rm /x'", "rm"),
        ("sh -ec '/bin/rm /x'", "/bin/rm"),
        ("eval ls", "eval"),
        ("vault-2 status", "vault-2"),
    ],
)
def test_a_list_may_start_nothing_else(line: str, named: str) -> None:
    assert named in objection(started_by(shlex.split(line)), PROGRAMS)


@pytest.mark.parametrize(
    "text",
    [
        "vault status | cat; echo done",
        'x=$(dig a) && [ -n "$x" ] || exit 3',
        "if vault status; then cd /tmp; ls; fi",
        "timeout 5 /usr/bin/vault status",
        "LANG=C 'vault' status",
    ],
)
def test_text_may_start_what_the_site_names(text: str) -> None:
    assert objection(started_in(text), PROGRAMS) == ""


@pytest.mark.parametrize(
    "text",
    [
        "rm /x",
        "ls; rm /x",
        "echo $(rm /x)",
        "ls || ( rm /x )",
        "timeout 5 vault status",
        "command rm /x",
        "exec rm /x",
        "exec ls",
        "eval ls",
        ". /tmp/x",
        "/usr/bin/vault status",
        "/bin/rm /x",
        "$x /x",
        "kill 1",
        "alias ls=rm",
        "trap 'rm x' EXIT",
        "for x in a; do rm $x; done",
        "ls | sudo -n rm",
    ],
)
def test_text_may_start_nothing_else(text: str) -> None:
    try:
        started = started_in(text)
    except ShellSyntaxError:
        return  # what is not understood is refused where it is prepared
    assert objection(started, PROGRAMS) != ""


WORDS = st.sampled_from(
    [
        *PROGRAMS,
        *("-n", "-l", "--", "5", "/x", "status", "restart", "-exec", "{}", ";", "|", "&&", ">", "x", "rm"),
        *("'a b'", '"$x"', "$(", ")", "-c", "A=1", "echo", "sed", "-i", "\n", "if", "then", "fi"),
    ]
)


@given(st.lists(WORDS, min_size=1, max_size=8))
def test_text_runs_unasked_here_exactly_where_it_would_over_ssh(words: list[str]) -> None:
    text = " ".join(words)
    for says in (NOTHING, SiteRules(programs=PROGRAMS)):
        for fed in (False, True):
            local = judged_local((text,), says, shell=True, fed=fed)
            assert local == judged_ssh("h", (text,), says, shell=True, fed=fed)


@given(st.lists(WORDS.map(lambda word: word.strip("'\"")), min_size=1, max_size=8))
def test_a_list_runs_unasked_here_exactly_where_it_would_over_ssh(words: list[str]) -> None:
    says = SiteRules(programs=PROGRAMS)
    local = judged_local(words, says, shell=False, fed=False)
    assert local == judged_ssh("h", words, says, shell=False, fed=False)


@pytest.mark.parametrize(
    ("line", "program", "risk", "knowledge"),
    [
        ("ls /x", ("/bin/rm",), Risk.DESTRUCTIVE, Knowledge.CHANGES),
        ("ls /x", ("/opt/lab/listing",), Risk.CHANGE, Knowledge.UNKNOWN),
        ("ls /x", ("/usr/bin/ls", "/usr/bin/rm"), Risk.DESTRUCTIVE, Knowledge.CHANGES),
        ("ls /x", ("/usr/bin/ls", "/usr/bin/busybox"), Risk.READ, Knowledge.READS),
        ("ls rm /x", ("/usr/bin/env",), Risk.DESTRUCTIVE, Knowledge.CHANGES),
        ("timeout 5 ls /x", ("/bin/rm",), Risk.DESTRUCTIVE, Knowledge.CHANGES),
        ("rm /x", ("/bin/rm",), Risk.DESTRUCTIVE, Knowledge.CHANGES),
        ("ls /x", ("/opt/lab/ls",), Risk.READ, Knowledge.READS),
    ],
)
def test_a_program_is_judged_by_all_its_names(
    line: str, program: tuple[str, ...], risk: Risk, knowledge: Knowledge
) -> None:
    name = "rm" if line.startswith("rm") else "ls"
    says = SiteRules(programs={name: program})
    for words, shell in ((tuple(line.split()), False), ((line,), True)):
        found = judged_local(words, says, shell=shell, fed=False)
        assert (found.risk, found.knowledge) == (risk, knowledge)


@pytest.mark.parametrize(
    "name", ["LD_PRELOAD", "LD_LIBRARY_PATH", "BASH_ENV", "ENV", "PYTHONPATH", "IFS", "PS4"]
)
def test_variables_that_load_code_are_known(name: str) -> None:
    assert CODE_VARIABLES.fullmatch(name)


@pytest.mark.parametrize("name", ["PATH", "HOME", "VAULT_ADDR", "AWS_PROFILE", "KUBECONFIG", "LANG"])
def test_other_variables_may_be_passed_on(name: str) -> None:
    assert not CODE_VARIABLES.fullmatch(name)
