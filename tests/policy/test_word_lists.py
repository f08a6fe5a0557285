"""Words that some program reads as its own, written down a second time: one that is missing is found.

Each list stands here and in the program. What a list is for is what its test says.
"""

import pytest

from breakglass.policy import conditions
from breakglass.policy.commands import judge_command, judge_method, judge_shell
from breakglass.policy.injection import misplaced, reads_program
from breakglass.policy.kubectl.flags import cluster_flag
from breakglass.policy.login_shell import wire_of
from breakglass.policy.placeholders import VALUE
from breakglass.policy.risk import Knowledge, Risk
from breakglass.policy.sed import objection as objection_of_sed
from breakglass.policy.shell import ShellSyntaxError, parse


def _words(text: str) -> list[str]:
    return text.split()


OF_A_LOGIN_SHELL = _words("""
[ abbr alloc and argparse autoload begin bg bind block breakpoint breaksw builtin bye case chdir commandline
compgen complete compopt contains coproc count default dirs disable disown do done echo echotc elif else
emit emulate enable end endif endsw esac fc fi filetest float for foreach function functions getln glob goto
hashstat help history hup if in integer kill limit log login logout mapfile math newgrp nice nocorrect
noglob nohup not notify onintr or path popd print printenv printf pushd pushln r random readarray realpath
rehash repeat sched select set set_color setenv settc setty shopt status stop string suspend switch telltc
test then time ttyctl unalias uncomplete unhash unlimit unsetenv until vared watchlog whence where which
while zle zmodload
""")


@pytest.mark.parametrize("program", OF_A_LOGIN_SHELL)
def test_a_word_of_some_login_shell_is_left_to_sh(program: str) -> None:
    assert wire_of((program, "x")).startswith("sh -c 'for ")


EVALUATED = _words("""
BASHPID BASH_SUBSHELL BAUD COLUMNS DIRSTACKSIZE EGID EPOCHSECONDS ERRNO EUID FUNCNEST GID HISTCMD HISTSIZE
KEYTIMEOUT LINENO LINES LISTMAX LOGCHECK MAILCHECK MBEGIN MEND OPTIND PERIOD PPID RANDOM SAVEHIST SECONDS
SHLVL SRANDOM TMOUT TTYIDLE UID
""")
OF_ZSH = _words("""
aliases argv builtins cdpath commands fignore fpath functions histchars mailpath manpath match mbegin mend
module_path options parameters path pipestatus prompt psvar signals status watch
""")


@pytest.mark.parametrize("name", EVALUATED)
def test_a_variable_that_a_shell_evaluates_takes_a_plain_number_only(name: str) -> None:
    assert parse(f"{name}=10")
    for value in ("a", "1+1", "'a[$(x)]'", "x1", "1x", '"$y"'):
        with pytest.raises(ShellSyntaxError):
            parse(f"{name}={value}")


@pytest.mark.parametrize("name", OF_ZSH)
def test_a_variable_that_is_zshs_own_is_not_set(name: str) -> None:
    for value in ("1", "a", ""):
        with pytest.raises(ShellSyntaxError):
            parse(f"{name}={value}")


# ---------------------------------------------------------------- tests
LOOKS = [f"-{letter}" for letter in "abcdefghknprstuwxzGLNOS"]
OF_TWO = ["=", "==", "!=", "<", ">", "-eq", "-ne", "-lt", "-le", "-gt", "-ge", "-nt", "-ot", "-ef", "=~"]


@pytest.mark.parametrize("operator", LOOKS)
def test_an_operator_of_one_operand_only_looks(operator: str) -> None:
    assert conditions.objection("test", (operator, VALUE)) == ""
    assert conditions.objection("test", ("x", "-a", operator, "y")) == ""
    assert parse(f"[[ {operator} $x ]]")


@pytest.mark.parametrize("operator", OF_TWO)
def test_an_operator_of_two_operands_only_looks(operator: str) -> None:
    assert conditions.objection("test", (VALUE, operator, VALUE)) == ""
    assert conditions.objection("test", ("x", operator, "y", "-a", "-e", "z")) == ""


@pytest.mark.parametrize(
    "words",
    [
        ("-e", "x", "-a", "-e", "y"),
        ("-e", "x", "-o", "-e", "y"),
        ("!", "-e", "x"),
        ("!", "x", "=", "y"),
        ("!", VALUE, "=", VALUE),
        ("!", "x"),
        ("!",),
        ("(", "x", "=", "y", ")"),
        ("(", "-e", "x", "-o", "-e", "y", ")"),
        ("(", "!", "-e", "x", ")", "-a", "(", "y", ")"),
        ("x", "-a", "y", "-a", "z"),
        ("x", "=", f"y{VALUE}", "-a", "-e", "z"),
        (VALUE, "-a", VALUE),
        (VALUE, "-o", VALUE),
        (VALUE,),
        (),
    ],
)
def test_an_expression_that_only_looks_has_no_objection(words: tuple[str, ...]) -> None:
    assert conditions.objection("test", words) == ""
    assert conditions.objection("[", (*words, "]")) == ""


@pytest.mark.parametrize(
    "words",
    [
        ("-v", "x"),
        ("-R", "x"),
        ("!", "-v", "x"),
        ("!", "!", "!", "-v", "x"),
        ("!", "!", "!", "!", "-v", VALUE),
        ("x", "-v", "y"),
        ("-v", "x", "-a", "y"),
        ("y", "-a", "-v", "x"),
        ("-e", "x", "-a", VALUE, "=", "y"),
        ("-e", "x", "-a", "-e", VALUE),
        (VALUE, VALUE),
        ("x", "y"),
        ("x", "-a"),
        ("x", "-a", "-e", "y", "-a"),
        ("x", "=", "y", "z", "-a", "u"),
        ("(", "x", "=", "y", ")", "z"),
        ("-e", "x", "y", "-e", "z"),
        ("(", "(", "(", "("),
    ],
)
def test_an_expression_that_may_do_more_has_an_objection(words: tuple[str, ...]) -> None:
    assert conditions.objection("test", words)


def test_a_bracket_needs_its_other_one() -> None:
    assert conditions.objection("[", ()) == conditions.objection("[", ("-e", "x")) == "[ has no ]"
    assert conditions.objection("test", ("-e", "]")) == ""


@pytest.mark.parametrize("operator", ["=", "==", "!=", "=~", "-nt", "-ot", "-ef"])
def test_double_brackets_compare_texts(operator: str) -> None:
    assert parse(f"[[ $x {operator} a ]]")
    for left in ("-v", "!"):
        with pytest.raises(ShellSyntaxError):
            parse(f"[[ {left} {operator} a ]]")


@pytest.mark.parametrize("operator", ["-eq", "-ne", "-lt", "-le", "-gt", "-ge"])
def test_double_brackets_compare_plain_numbers_only(operator: str) -> None:
    assert parse(f"[[ 1 {operator} -2 ]]")
    for left, right in (("$x", "1"), ("1", "$x"), ("x", "1"), ("1", "1x")):
        with pytest.raises(ShellSyntaxError):
            parse(f"[[ {left} {operator} {right} ]]")


@pytest.mark.parametrize(
    "inner", ["-v x", "-R x", "-o x", "-e", "!", "x y", "x -a y", "a{b,c}", "x = y z", "{a,b} = x", ""]
)
def test_double_brackets_hold_one_known_test(inner: str) -> None:
    with pytest.raises(ShellSyntaxError):
        parse(f"[[ {inner} ]]")


@pytest.mark.parametrize("inner", ["x", "$x", "! x", "! -e x", "-e $x", "! a = b"])
def test_a_known_test_in_double_brackets_is_understood(inner: str) -> None:
    assert parse(f"[[ {inner} ]]")


# ---------------------------------------------------------------- programs
@pytest.mark.parametrize(
    "folder", ["/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/snap/bin"]
)
def test_a_program_in_a_folder_of_the_system_is_the_one_of_the_table(folder: str) -> None:
    assert judge_command((f"{folder}/ls", "-l")).risk is Risk.READ
    assert judge_command((f"{folder}/x/ls", "-l")).knowledge is Knowledge.UNKNOWN


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "get"])
def test_a_method_that_reads(method: str) -> None:
    assert judge_method(method).risk is Risk.READ


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "TRACE", "CONNECT", "PROPFIND", "QUERY", ""])
def test_any_other_method_changes(method: str) -> None:
    judgement = judge_method(method)
    assert (judgement.risk, judgement.knowledge) == (Risk.CHANGE, Knowledge.CHANGES)
    assert judge_method("delete").risk is Risk.DESTRUCTIVE


CLUSTER_FLAGS = _words("""
--context --cluster --kubeconfig --server --user --token --as --as-group --as-uid --as-user-extra --username
--password --client-certificate --client-key --certificate-authority --insecure-skip-tls-verify
--tls-server-name -s
""")


@pytest.mark.parametrize("flag", CLUSTER_FLAGS)
def test_a_flag_that_names_another_cluster_or_user_is_found(flag: str) -> None:
    assert cluster_flag(("get", "pods", flag, "x")) == 2
    assert cluster_flag(("get", "pods", f"{flag}=x")) == 2
    assert cluster_flag(("exec", "pod", "--", "ls", flag)) is None
    assert cluster_flag(("get", "pods", f"{flag}x")) == (2 if flag == "-s" else None)


INTERPRETERS = _words("""
sh bash dash ash ksh ksh93 mksh yash zsh rbash posh fish csh tcsh rc elvish nu pwsh xonsh python python2
python3 awk gawk mawk nawk original-awk sed gsed ssed jq gdb eval trap source . alias set export readonly
local declare typeset unset let read getopts mapfile readarray [[ enable perl ruby node nodejs deno bun php
lua luajit tclsh wish expect R Rscript julia ghci erl iex elixir scala groovy jshell java osascript gjs
guile racket sbcl clisp bc dc m4 ed ex octave gnuplot gojq yq psql mysql mariadb sqlite3 sqlite sqlcmd
sqlplus isql tsql mongo mongosh redis-cli valkey-cli cqlsh influx clickhouse-client duckdb cypher-shell usql
pgcli mycli presto trino hive beeline ldapmodify ssh rsh rlogin mosh dbclient plink telnet pdsh clush
parallel-ssh ansible salt git hg svn scp rsync tar bsdtar gtar cpio zip rpm vi vim view nvim emacs nano less
more man pg most tcpdump make gmake cmake openssl systemd-run strace ltrace perf entr xterm watch script
screen tmux start-stop-daemon run-parts qemu-img at batch crontab parallel su runuser sg socat nc ncat
netcat sftp lftp ftp mail mailx virsh bpftrace stap dtrace busctl gdbus dbus-send nft fdisk parted sgdisk
debugfs lvm zdb ipmitool crash nsupdate
""")


@pytest.mark.parametrize("program", INTERPRETERS)
def test_a_program_that_runs_what_it_is_given_takes_no_value_as_an_option(program: str) -> None:
    why = misplaced((program, "--zz", VALUE))
    assert why.count("; ") >= 1 or "not understood" in why, f"{why!r} says what to write instead"


READS_ITS_INPUT = _words("""
sh bash dash ash ksh ksh93 mksh yash zsh rbash posh fish csh tcsh rc elvish nu pwsh xonsh python python2
python3 gdb perl ruby node lua tclsh bc dc ed ex psql mysql sqlite3 redis-cli mongosh ssh rsh telnet at
batch crontab parallel su nft fdisk parted debugfs lvm gdbus socat nc sftp ftp ipmitool nsupdate eval source
.
""")


@pytest.mark.parametrize("program", READS_ITS_INPUT)
def test_a_program_that_runs_its_input_is_known(program: str) -> None:
    assert reads_program((program,)) == program
    assert reads_program(("/usr/bin/" + program,)) == program


@pytest.mark.parametrize(
    "program", ["awk", "gawk", "sed", "jq", "set", "export", "read", "git", "tar", "less", "vim", "make"]
)
def test_a_program_that_runs_no_input_is_known(program: str) -> None:
    assert reads_program((program,)) == ""


RUNNERS = [
    *(f"docker {each}" for each in ("run", "create", "buildx", "compose")),
    *(f"{name} {each}" for name in ("podman", "nerdctl") for each in ("run", "create")),
    *(f"ctr {each}" for each in ("run", "t", "task", "tasks", "c", "containers")),
    *("kubectl run", "kubectl debug", "oc run", "oc debug", "oc rsh", "lxc exec", "pct exec", "pct enter"),
    *("qm guest", "machinectl shell", "flatpak run", "snap run"),
]


@pytest.mark.parametrize("line", RUNNERS)
def test_a_subcommand_that_runs_a_command_takes_no_value(line: str) -> None:
    assert misplaced((*line.split(), VALUE)), line


# ---------------------------------------------------------------- the shell's words
@pytest.mark.parametrize("word", ["then", "elif", "else", "fi", "do", "done", "esac", "}", "in", ";;", ")"])
def test_a_word_that_closes_something_does_not_begin_a_command(word: str) -> None:
    with pytest.raises(ShellSyntaxError):
        parse(f"{word} x")


@pytest.mark.parametrize(
    "word",
    [
        "function",
        "select",
        "coproc",
        "foreach",
        "repeat",
        "nocorrect",
        "noglob",
        "end",
        "time",
        "until",
        "[[",
    ],
)
def test_a_word_that_only_some_shells_know_hides_no_command(word: str) -> None:
    judgement = judge_shell(f"{word} rm x")
    assert judgement.risk >= Risk.CHANGE


def test_a_label_of_sed_goes_where_every_command_that_jumps_says() -> None:
    for command in "btT":
        assert objection_of_sed(f":a;s/x/y/;{command}a") == ""
        assert objection_of_sed(f"s/x/y/;{command}") == ""
        assert objection_of_sed(f"{command} a b;p") != ""
