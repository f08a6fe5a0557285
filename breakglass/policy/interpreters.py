"""Programs that read some of their words, or their standard input, as a program: there a value would be code.

Each says which of its words are no program. Anywhere else a value is refused, and so it is behind an option
that is not listed, since nobody knows which word that takes.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Interpreter:
    """What the words of one program are.

    switches: options without a value; letters may stand together behind one dash. values: options whose
    value is no program. code: options whose value is one. program: the first operand is one, or a file with
    one, where no option gave it. data: operands behind the program are data to it.
    stdin: it reads its program there where no word gives it. hint: how a value is given to it instead.
    """

    switches: frozenset[str] = frozenset()
    values: frozenset[str] = frozenset()
    code: frozenset[str] = frozenset()
    program: bool = True
    data: bool = False
    stdin: bool = True
    hint: str = "give the value to a program that does not read it as code"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


SHELL = Interpreter(
    switches=_words(
        "-a -b -c -e -f -h -i -k -l -m -n -p -r -t -u -v -x -B -C -D -E -H -P -T --login "
        "--noprofile --norc --posix --restricted --verbose"
    ),
    values=_words("-o +o -O +O"),
    data=True,
    hint="""give it as an argument, and use "$1" in the script: sh -c 'ls -d "$1"' sh ${{ … }}""",
)
"""After `-c` the first operand is the script, and without it the script's file. What follows is data."""

_PYTHON = Interpreter(
    switches=_words("-b -B -d -E -i -I -O -P -q -s -S -u -v -x"),
    values=_words("-W -X"),
    code=_words("-c -m"),
    data=True,
    hint="give it as an argument, and use sys.argv[1] in the program",
)
_AWK = Interpreter(
    values=_words("-F"),
    code=_words("-f -e -E -i -l -v"),
    stdin=False,
    hint="let `grep -F` find it; awk reads escapes in `-v`, and NAME=value in an operand",
)
_SED = Interpreter(
    switches=_words("-n -E -r -s -u -z -i --quiet --silent --regexp-extended --separate --null-data"),
    code=_words("-e -f --expression --file"),
    data=True,
    stdin=False,
    hint="let `grep -F` find it; what sed replaces cannot be a value",
)
_JQ = Interpreter(
    switches=_words(
        "-r -c -e -n -s -S -M -C -j -a -R --raw-output --compact-output --exit-status --slurp --tab"
    ),
    code=_words("-f --from-file"),
    data=True,
    stdin=False,
    hint="capture what it reads, and look at it in an expression",
)
_GDB = Interpreter(
    switches=_words("-batch --batch -q -quiet -nx -n"),
    values=_words("-p --pid"),
    code=_words("-ex -x -iex -ix -eval-command --eval-command -command --command"),
)
_GIT_CLONE = Interpreter(
    switches=_words("-q --quiet -v --verbose --progress -n --no-checkout --bare --single-branch --no-tags"),
    values=_words("--depth -b --branch -o --origin"),
    program=False,
    data=True,
    stdin=False,
    hint="leave the option away that takes a command or a setting",
)
"""git allows `ext::COMMAND` as an address only where its configuration says so (git(1), protocol.allow)."""

_ITSELF = Interpreter(hint="write the command itself, with the value as one of its words")
_KEEPS = Interpreter(
    stdin=False, hint="put the value where it is used; what a shell keeps may be read otherwise"
)
_LANGUAGE = Interpreter()
_SQL = Interpreter(program=False, hint="a statement cannot hold a value; write it whole")
_REMOTE = Interpreter(program=False, hint="name the other host in the site, and make it the step's `host`")
_RUNS = Interpreter(stdin=False, hint="its words or files name commands that it runs; use a plainer program")
_READS = Interpreter(
    program=False, hint="its words or input are commands that it runs; use a plainer program"
)

INTERPRETERS: Mapping[str, Interpreter] = {
    name: kind
    for kind, names in (
        (SHELL, "sh bash dash ash ksh ksh93 mksh yash zsh rbash posh"),
        (Interpreter(hint=SHELL.hint), "fish csh tcsh rc elvish nu pwsh xonsh"),
        (_PYTHON, "python python2 python3"),
        (_AWK, "awk gawk mawk nawk original-awk"),
        (_SED, "sed gsed ssed"),
        (_JQ, "jq"),
        (_GDB, "gdb"),
        (_GIT_CLONE, "git-clone"),
        (_ITSELF, "eval trap source . alias"),
        (
            _KEEPS,
            "set export readonly local declare typeset unset let read getopts mapfile readarray [[ enable",
        ),
        (
            _LANGUAGE,
            "perl ruby node nodejs deno bun php lua luajit tclsh wish expect R Rscript julia "
            "ghci erl iex elixir scala groovy jshell java osascript gjs guile racket sbcl "
            "clisp bc dc m4 ed ex octave gnuplot gojq yq",
        ),
        (
            _SQL,
            "psql mysql mariadb sqlite3 sqlite sqlcmd sqlplus isql tsql mongo mongosh "
            "redis-cli valkey-cli cqlsh influx clickhouse-client duckdb cypher-shell usql "
            "pgcli mycli presto trino hive beeline ldapmodify",
        ),
        (_REMOTE, "ssh rsh rlogin mosh dbclient plink telnet pdsh clush parallel-ssh ansible salt"),
        (
            _RUNS,
            "git hg svn scp rsync tar bsdtar gtar cpio zip rpm vi vim view nvim emacs nano "
            "less more man pg most tcpdump make gmake cmake openssl systemd-run strace ltrace "
            "perf entr xterm watch script screen tmux start-stop-daemon run-parts qemu-img",
        ),
        (
            _READS,
            "at batch crontab parallel su runuser sg socat nc ncat netcat sftp lftp ftp mail "
            "mailx virsh bpftrace stap dtrace busctl gdbus dbus-send nft fdisk parted sgdisk "
            "debugfs lvm zdb ipmitool crash nsupdate",
        ),
    )
    for name in names.split()
}
"""By the program's name, without its folder; `git-clone` is the subcommand."""

BUILTINS = frozenset(name for name, kind in INTERPRETERS.items() if kind in (_ITSELF, _KEEPS))
"""Those that only a shell itself knows: no other program runs them."""

RUNNERS: Mapping[str, frozenset[str]] = {
    "docker": _words("run create buildx compose"),
    "podman": _words("run create"),
    "nerdctl": _words("run create"),
    "ctr": _words("run t task tasks c containers"),
    "kubectl": _words("run debug"),
    "oc": _words("run debug rsh"),
    "lxc": _words("exec"),
    "pct": _words("exec enter"),
    "qm": _words("guest"),
    "machinectl": _words("shell"),
    "flatpak": _words("run"),
    "snap": _words("run"),
}
"""Subcommands that run a command, or read one, in a way that no table tells: they take no value."""

CODE_WORDS: Mapping[str, re.Pattern[str]] = {
    "env": re.compile(r"-[A-Za-z0]*S.*|--s.*", re.DOTALL),
    "test": re.compile(r"-[vR]"),
    "[": re.compile(r"-[vR]"),
}
"""Words with which the rest of a command becomes code: `env -S`, and `test -v`, for which bash evaluates the
subscript of a variable."""

CODE_OPTIONS = _words(
    "-c -e -x -S --command --cmd --eval --exec --execute --expression --program --script "
    "--shell --rsh --run --query --rsync-path --upload-pack --receive-pack --pager --editor "
    "--filter --hook --template --init --entrypoint --to-command --checkpoint-action "
    "--use-compress-program --proxy-command --split-string"
)
"""Options that are often given a program. Of a program that nobody knows, no value may be theirs."""

CODE_OPTIONS_OF_ANY = _words(
    "--pre --hostname-bin --compress-program --diff-program --pager --use-askpass --execute "
    "--modprobe --custom-dir --external-dir --exec --password-command --post-renderer --pre-invoke "
    "--post-invoke --rsh --rsh-command --rsync-path --upload-pack --receive-pack --engine "
    "--provider --provider-path --rcfile --init-file --plugin --to-command --checkpoint-action "
    "--use-compress-program --editor --entrypoint --kuberc --credential-helper"
)
"""Options that name a program or a library to run, whichever program has them."""

CODE_OPTIONS_OF: Mapping[str, frozenset[str]] = {
    "wget": _words("-e --config"),
    "curl": _words("-K --config"),
    "ip": _words("-b -batch"),
    "bridge": _words("-b -batch"),
    "tc": _words("-b -batch"),
    "pidstat": _words("-e"),
    "nginx": _words("-c -g -p"),
    "haproxy": _words("-f"),
    "mdadm": _words("-p --program"),
    "ssh-keygen": _words("-D"),
    "lvs": _words("--config"),
    "pvs": _words("--config"),
    "vgs": _words("--config"),
    "apt": _words("-o -c --option --config-file"),
    "apt-get": _words("-o -c --option --config-file"),
    "kubectl": _words("--kubeconfig"),
    "oc": _words("--kubeconfig"),
    "restic": _words("-o --option"),
    "logrotate": _words("-f --force"),
}
"""Options of one program that name a program, a library or a file of more options."""
