"""Programs that read words as code, and the options with which any program does: each stands here a second
time, so that none is forgotten or changes its kind unnoticed."""

import pytest

from breakglass.policy.injection import misplaced, reads_program
from breakglass.policy.placeholders import VALUE

SHELLS = "sh bash dash ash ksh ksh93 mksh yash zsh rbash posh"
READ_WORDS: dict[str, tuple[str, str]] = {
    "shells": (f"{SHELLS} fish csh tcsh rc elvish nu pwsh xonsh", 'use "$1" in the script'),
    "python": ("python python2 python3", "use sys.argv[1]"),
    "awk": ("awk gawk mawk nawk original-awk", "awk reads escapes"),
    "sed": ("sed gsed ssed", "what sed replaces cannot be a value"),
    "languages": (
        "perl ruby node nodejs deno bun php lua luajit tclsh wish expect R Rscript julia ghci erl iex elixir "
        "scala groovy jshell java osascript gjs guile racket sbcl clisp bc dc m4 ed ex octave gnuplot gojq "
        "yq gdb",
        "give the value to a program that does not read it as code",
    ),
    "databases": (
        "psql mysql mariadb sqlite3 sqlite sqlcmd sqlplus isql tsql mongo mongosh redis-cli valkey-cli cqlsh "
        "influx clickhouse-client duckdb cypher-shell usql pgcli mycli presto trino hive beeline ldapmodify",
        "a statement cannot hold a value",
    ),
    "other hosts": (
        "ssh rsh rlogin mosh dbclient plink telnet pdsh clush parallel-ssh ansible salt",
        "name the other host in the site",
    ),
    "what reads commands": (
        "at batch crontab parallel su runuser sg socat nc ncat netcat sftp lftp ftp mail mailx virsh "
        "bpftrace stap dtrace busctl gdbus dbus-send nft fdisk parted sgdisk debugfs lvm zdb ipmitool "
        "crash nsupdate",
        "its words or input are commands that it runs",
    ),
    "what runs commands": (
        "git hg svn scp rsync tar bsdtar gtar cpio zip rpm vi vim view nvim emacs nano less more man pg most "
        "tcpdump make gmake cmake openssl systemd-run strace ltrace perf entr xterm watch script screen tmux "
        "start-stop-daemon run-parts qemu-img",
        "its words or files name commands that it runs",
    ),
    "a shell's own, which run": ("eval trap source . alias", "write the command itself"),
    "a shell's own, which keep": (
        "set export readonly local declare typeset unset let read getopts mapfile readarray [[ enable",
        "what a shell keeps",
    ),
}
"""By their kind: programs that take a word as code, and what is said of a value there."""

READ_INPUT = {"shells", "python", "languages", "databases", "other hosts", "what reads commands"}
READ_INPUT_TOO = {"a shell's own, which run"}
"""The kinds that read their standard input as a program where no word gives them one."""


@pytest.mark.parametrize("kind", READ_WORDS)
def test_a_value_is_no_word_of_a_program_that_reads_words_as_code(kind: str) -> None:
    names, hint = READ_WORDS[kind]
    for name in names.split():
        refusal = misplaced((name, "-Z0", VALUE))
        assert refusal == f"{name} would read a value as a program; {refusal.partition('; ')[2]}", name
        assert hint in refusal, name
        assert misplaced((f"/usr/bin/{name}", "-Z0", VALUE)), name


@pytest.mark.parametrize("kind", READ_WORDS)
def test_which_programs_read_their_standard_input_as_a_program_is_known(kind: str) -> None:
    for name in READ_WORDS[kind][0].split():
        reads = kind in READ_INPUT | READ_INPUT_TOO
        assert reads_program((name,)) == (name if reads else ""), name
        assert reads_program((f"/usr/bin/{name}",)) == (name if reads else ""), name


BUILTINS = " ".join(names for kind, (names, _) in READ_WORDS.items() if kind.startswith("a shell's own"))


@pytest.mark.parametrize("name", BUILTINS.split())
def test_what_only_a_shell_knows_is_run_by_no_other_program(name: str) -> None:
    assert misplaced(("mytool", name, VALUE)) == ""
    assert misplaced(("mytool", "bash", VALUE)) != ""


# ---------------------------------------------------------------- where a value may stand
SWITCHES = {
    "sh": "-a -b -e -f -h -i -k -l -m -n -p -r -t -u -v -x -B -C -D -E -H -P -T --login --noprofile --norc "
    "--posix --restricted --verbose",
    "python3": "-b -B -d -E -i -I -O -P -q -s -S -u -v -x",
    "git clone": "-q --quiet -v --verbose --progress -n --no-checkout --bare --single-branch --no-tags",
}


@pytest.mark.parametrize("program", SWITCHES)
def test_behind_a_switch_that_is_known_a_value_is_data_where_it_was(program: str) -> None:
    for switch in SWITCHES[program].split():
        assert misplaced((*program.split(), switch, "/opt/tool", VALUE)) == "", switch
        assert misplaced((*program.split(), f"{switch}Z", "/opt/tool", VALUE)) != "", switch


SED_SWITCHES = "-n -E -r -s -u -z --quiet --silent --regexp-extended --separate --null-data"
JQ_SWITCHES = "-r -c -e -n -s -S -M -C -j -a -R --raw-output --compact-output --exit-status --slurp --tab"
GDB_SWITCHES = "-batch --batch -q -quiet -nx -n"
GDB_CODE = "-ex -x -iex -ix -eval-command --eval-command -command --command"
CLONE_VALUES = "--depth -b --branch -o --origin"


@pytest.mark.parametrize(
    ("words", "allowed"),
    [
        (("sh", "-o", "errexit", "/opt/tool", VALUE), True),
        (("sh", "+o", "errexit", "/opt/tool", VALUE), True),
        (("bash", "-O", "extglob", "/opt/tool", VALUE), True),
        (("bash", "+O", "extglob", "/opt/tool", VALUE), True),
        (("sh", "-o", "errexit", VALUE), False),
        (("sh", "--", "/opt/tool", VALUE), True),
        (("sh", "--", VALUE), False),
        (("sh", "-ec", 'mytool "$1"', "sh", VALUE), True),
        (("sh", "-ec", VALUE), False),
        (("sh", "-ce", 'mytool "$1"', "sh", VALUE), True),
        (("sh", "-c", "-e", 'mytool "$1"', "sh", VALUE), True),
        (("sh", "-c", "--", 'mytool "$1"', "sh", VALUE), True),
        (("sh", "-c", 'eval "$1"', "sh", VALUE), False),
        (("sh", "-c", "--", 'eval "$1"', "sh", VALUE), False),
        (("sh", "-c", "case", "sh", VALUE), False),
        (("sh", "-Zc", 'mytool "$1"', "sh", VALUE), False),
        (("python3", "-W", VALUE, "/opt/tool.py"), True),
        (("python3", "-X", VALUE, "/opt/tool.py", VALUE), True),
        (("python3", "-W", "ignore", VALUE), False),
        (("python3", "-c", "pass", VALUE), True),
        (("python3", "-c", VALUE), False),
        (("python3", "-m", "tool", VALUE), True),
        (("python3", "-uc", "pass", VALUE), True),
        (("python3", "-uc", VALUE), False),
        (("python3", "-cpass", VALUE), False),
        (("python3", "-", VALUE), True),
        (("python3", "-Z", "/opt/tool.py", VALUE), False),
        (("sed", "-i", "s/a/b/", VALUE), True),
        (("sed", "-i", "-e", "s/a/b/", VALUE), True),
        (("sed", "-i", "--expression=s/a/b/", VALUE), True),
        (("sed", "-i", f"--expression={VALUE}", "x"), False),
        (("sed", "-i", "-e", VALUE, "x"), False),
        (("sed", "-i", "-f", VALUE, "x"), False),
        (("sed", "-i", "--file", "/opt/x.sed", VALUE), True),
        *[(("sed", switch, "-i", "s/a/b/", VALUE), True) for switch in SED_SWITCHES.split()],
        (("sed", "--posix-not", "-i", "s/a/b/", VALUE), False),
        (("awk", "-F", ":", "BEGIN { system(1) }", VALUE), False),
        (("awk", "-F", VALUE, "BEGIN { system(1) }"), True),
        (("awk", "-v", f"a={VALUE}", "BEGIN { system(1) }"), False),
        (("jq", "-f", "/opt/x.jq", VALUE), True),
        (("jq", "--from-file", "/opt/x.jq", VALUE), True),
        (("jq", "-L", "/opt", VALUE, "x"), False),
        (("jq", "-L", VALUE, ".", "x"), False),
        (("jq", "-f", VALUE), False),
        *[(("jq", switch, "-f", "/opt/x.jq", VALUE), True) for switch in JQ_SWITCHES.split()],
        *[(("gdb", option, VALUE, "-batch", "-ex", "bt"), True) for option in ("-p", "--pid")],
        *[(("gdb", "-p", VALUE, switch, "-ex", "bt"), True) for switch in GDB_SWITCHES.split()],
        *[(("gdb", "-p", VALUE, option, "bt"), True) for option in GDB_CODE.split()],
        *[(("gdb", "-p", "1", option, VALUE), False) for option in GDB_CODE.split()],
        (("gdb", "-batch", "-ex", "bt", VALUE), False),
        *[(("git", "clone", option, VALUE, "a", "b"), True) for option in CLONE_VALUES.split()],
        (("git", "clone", f"--depth={VALUE}", "a", "b"), True),
        (("git", "clone", "--", VALUE, VALUE), True),
        (("git", "clone", "-c", VALUE, "a"), False),
        (("git", "clone", f"-Z{VALUE}", "a"), False),
        (("git", "-C", "/srv", "clone", VALUE), False),
        (("mytool", "clone", "-c", VALUE), False),
        (("mytool", "clone", "--bare", "a", VALUE), True),
    ],
)
def test_only_where_a_word_is_no_program_it_may_be_a_value(words: tuple[str, ...], allowed: bool) -> None:
    assert (misplaced(words) == "") is allowed, misplaced(words)


# ---------------------------------------------------------------- options, and words that run others
RUNNERS = {
    "docker": "run create buildx compose",
    "podman": "run create",
    "nerdctl": "run create",
    "ctr": "run t task tasks c containers",
    "kubectl": "run debug",
    "oc": "run debug rsh",
    "lxc": "exec",
    "pct": "exec enter",
    "qm": "guest",
    "machinectl": "shell",
    "flatpak": "run",
    "snap": "run",
}


@pytest.mark.parametrize("program", RUNNERS)
def test_a_subcommand_that_runs_a_command_takes_no_value(program: str) -> None:
    for word in RUNNERS[program].split():
        refusal = misplaced((program, word, "x", VALUE))
        assert refusal == f"what {program} {word} makes of a value is not known; use a plainer command"


@pytest.mark.parametrize(
    "words",
    [
        ("env", f"-S{VALUE}"),
        ("env", "-iS", VALUE),
        ("env", "--split-string", VALUE),
        ("env", f"--split-string=ls {VALUE}"),
        ("test", "-v", VALUE),
        ("test", "-R", VALUE),
        ("[", "-v", VALUE, "]"),
        ("[", "-R", VALUE, "]"),
    ],
)
def test_with_some_options_words_become_code(words: tuple[str, ...]) -> None:
    assert misplaced(words) == (f"with these options {words[0]} would read a value as code; leave them out")


def test_with_other_options_they_do_not() -> None:
    for words in (("test", "-f", VALUE), ("[", "-n", VALUE, "]"), ("env", "A=1", "ls", VALUE)):
        assert misplaced(words) == ""


OPTIONS_OF = {
    "wget": "-e --config",
    "curl": "-K --config",
    "ip": "-b -batch",
    "bridge": "-b -batch",
    "tc": "-b -batch",
    "pidstat": "-e",
    "nginx": "-c -g -p",
    "haproxy": "-f",
    "mdadm": "-p --program",
    "ssh-keygen": "-D",
    "lvs": "--config",
    "pvs": "--config",
    "vgs": "--config",
    "apt": "-o -c --option --config-file",
    "apt-get": "-o -c --option --config-file",
    "kubectl": "--kubeconfig",
    "oc": "--kubeconfig",
    "restic": "-o --option",
    "logrotate": "-f --force",
}


@pytest.mark.parametrize("program", OPTIONS_OF)
def test_an_option_of_a_program_that_names_more_options_or_a_program_takes_no_value(program: str) -> None:
    for option in OPTIONS_OF[program].split():
        forms: list[tuple[str, ...]] = [(program, option, VALUE)]
        if option.startswith("--") or len(option) == 2:
            forms.append((program, f"{option}={VALUE}" if option.startswith("--") else f"{option}{VALUE}"))
        for words in forms:
            refusal = misplaced(words)
            assert refusal.startswith(f"{option} of {program} names a program or more options"), words


OPTIONS_OF_ANY = (
    "--pre --hostname-bin --compress-program --diff-program --pager --use-askpass --execute --modprobe "
    "--custom-dir --external-dir --exec --password-command --post-renderer --pre-invoke --post-invoke --rsh "
    "--rsh-command --rsync-path --upload-pack --receive-pack --engine --provider --provider-path --rcfile "
    "--init-file --plugin --to-command --checkpoint-action --use-compress-program --editor --entrypoint "
    "--kuberc --credential-helper"
)


@pytest.mark.parametrize("option", OPTIONS_OF_ANY.split())
def test_an_option_that_names_a_program_takes_no_value_whichever_program_has_it(option: str) -> None:
    for words in (("kubectl", "delete", "pod", "x", option, VALUE), ("mytool", f"{option}={VALUE}")):
        assert "names a program or more options" in misplaced(words), words


OPTIONS_OF_UNKNOWN = (
    "-c -e -x -S --command --cmd --eval --expression --program --script --shell --run --query --filter "
    "--hook --template --init --proxy-command --split-string"
)


@pytest.mark.parametrize("option", OPTIONS_OF_UNKNOWN.split())
def test_an_option_that_is_often_given_a_program_takes_no_value_of_a_program_that_nobody_knows(
    option: str,
) -> None:
    joined = f"{option}={VALUE}" if option.startswith("--") else f"{option}{VALUE}"
    for words in (("mytool", option, VALUE), ("mytool", joined)):
        assert misplaced(words) == f"{option} of mytool may take a program, and this is a value; leave it out"
    assert misplaced(("mytool", option, "x", VALUE)) == ""
