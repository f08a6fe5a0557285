"""The one place where risk is decided: what a command may do, from its words.

A command that is not in the tables counts as a change: what is not known to be harmless is asked about.
"""

import re
from collections.abc import Callable, Mapping, Sequence

from breakglass.policy.risk import Judgement, Knowledge, Risk
from breakglass.policy.shell import Command, ShellSyntaxError, parse

READ, PROBE, CHANGE, DESTRUCTIVE = Risk.READ, Risk.PROBE, Risk.CHANGE, Risk.DESTRUCTIVE

KUBECTL_READS = frozenset(
    [
        "get",
        "describe",
        "logs",
        "top",
        "explain",
        "version",
        "api-resources",
        "api-versions",
        "cluster-info",
        "events",
        "wait",
        "diff",
    ]
)
KUBECTL_DESTRUCTIVE = frozenset(("delete", "drain"))
KUBECTL_EXEC_SWITCHES = frozenset(("-i", "-t", "-it", "-ti", "-q", "--stdin", "--tty", "--quiet"))
"""Flags of `kubectl exec` that take no value."""

KUBECTL_VALUE_FLAGS = frozenset(
    [
        "-n",
        "--namespace",
        "--context",
        "--cluster",
        "--kubeconfig",
        "--server",
        "-s",
        "--as",
        "--as-group",
        "--user",
        "--token",
        "--request-timeout",
        "--cache-dir",
        "-v",
        "--v",
    ]
)
"""Global flags whose value is the next word, when it is not joined by `=`."""

KUBECTL_LOCAL_FLAGS = frozenset(
    [
        *("--filename", "--kustomize", "--from-file", "--from-env-file", "--patch-file"),
        *("--output-directory", "--cache-dir", "--profile", "--profile-output", "--log-file", "--log-dir"),
    ]
)
"""Flags with which kubectl reads or writes files of this machine, whatever its verb."""

LOCAL_FORMAT = re.compile(r"(-o=?|--output=)?(go-template|jsonpath|custom-columns|template)-?file=")
"""Output formats that are read from a file of this machine."""

READERS = frozenset(
    [
        "arch",
        "awk",
        "base64",
        "basename",
        "blkid",
        "cat",
        "cksum",
        "cmp",
        "column",
        "comm",
        "cut",
        "df",
        "diff",
        "dig",
        "dirname",
        "du",
        "echo",
        "egrep",
        "expr",
        "false",
        "fgrep",
        "file",
        "findmnt",
        "findfs",
        "free",
        "getent",
        "getfacl",
        "grep",
        "groups",
        "head",
        "hexdump",
        "host",
        "id",
        "iostat",
        "ipcs",
        "jq",
        "last",
        "less",
        "locale",
        "ls",
        "lsattr",
        "lsblk",
        "lscpu",
        "lsmod",
        "lsof",
        "lspci",
        "lsusb",
        "lvdisplay",
        "lvs",
        "md5sum",
        "mpstat",
        "namei",
        "nfsiostat",
        "nfsstat",
        "nl",
        "nproc",
        "nslookup",
        "od",
        "pgrep",
        "pidof",
        "pidstat",
        "ping",
        "printenv",
        "printf",
        "ps",
        "pstree",
        "pvdisplay",
        "pvs",
        "pwd",
        "readlink",
        "realpath",
        "rpcinfo",
        "sar",
        "sed",
        "sha1sum",
        "sha256sum",
        "showmount",
        "sleep",
        "slabtop",
        "sort",
        "ss",
        "stat",
        "strings",
        "sum",
        "tac",
        "tail",
        "test",
        "tr",
        "traceroute",
        "true",
        "tty",
        "uname",
        "uniq",
        "uptime",
        "vgdisplay",
        "vgs",
        "vmstat",
        "w",
        "wc",
        "which",
        "who",
        "whoami",
        "xxd",
        "zcat",
        "zgrep",
        "[",
        ":",
        "cd",
        "netstat",
        "numfmt",
        "seq",
        "yes",
        "tsort",
    ]
)
DESTROYERS = frozenset(
    [
        "dd",
        "fdisk",
        "halt",
        "init",
        "kill",
        "killall",
        "lvremove",
        "mkfs",
        "parted",
        "pkill",
        "poweroff",
        "pvremove",
        "reboot",
        "rm",
        "rmdir",
        "sgdisk",
        "shred",
        "shutdown",
        "swapoff",
        "telinit",
        "truncate",
        "unlink",
        "vgremove",
        "wipefs",
    ]
)
WRAPPERS: Mapping[str, frozenset[str]] = {
    "sudo": frozenset(("-u", "--user", "-g", "--group", "-h", "--host", "-p", "--prompt", "-C", "-D", "-R")),
    "timeout": frozenset(("-k", "--kill-after", "-s", "--signal")),
    "nice": frozenset(("-n", "--adjustment")),
    "ionice": frozenset(("-c", "--class", "-n", "--classdata")),
    "env": frozenset(("-u", "--unset", "-C", "--chdir")),
    "nohup": frozenset(),
    "stdbuf": frozenset(("-i", "-o", "-e")),
    "setsid": frozenset(),
    "time": frozenset(("-f", "-o")),
    "command": frozenset(),
    "exec": frozenset(),
}
"""Programs that run another, with their options that take a value in the next word."""

SYSTEMCTL_READS = frozenset(
    [
        "status",
        "is-active",
        "is-enabled",
        "is-failed",
        "show",
        "cat",
        "list-units",
        "list-unit-files",
        "list-timers",
        "list-dependencies",
        "get-default",
        "--version",
    ]
)
SYSTEMCTL_CHANGES = frozenset(["start", "reload", "enable", "reset-failed", "daemon-reload", "unmask"])

SUBCOMMANDS: Mapping[str, Mapping[str, Risk]] = {
    "qm": {
        **dict.fromkeys(("status", "list", "config", "pending", "listsnapshot", "showcmd"), READ),
        **dict.fromkeys(("start", "unlock", "set", "resume", "snapshot"), CHANGE),
        **dict.fromkeys(
            ("stop", "reset", "reboot", "shutdown", "destroy", "rollback", "suspend"), DESTRUCTIVE
        ),
    },
    "pvesh": {"get": READ, "ls": READ, "usage": READ, "create": CHANGE, "set": CHANGE, "delete": DESTRUCTIVE},
    "pvesm": {"status": READ, "list": READ, "path": READ},
    "docker": {
        **dict.fromkeys(
            ("ps", "logs", "inspect", "images", "stats", "top", "port", "version", "info", "diff"), READ
        ),
        **dict.fromkeys(("start", "pull", "build", "push", "tag", "login", "cp", "unpause"), CHANGE),
        **dict.fromkeys(("restart", "stop", "kill", "rm", "rmi", "pause"), DESTRUCTIVE),
    },
    "crictl": {
        **dict.fromkeys(
            ("ps", "pods", "images", "inspect", "inspectp", "inspecti", "logs", "stats", "info"), READ
        ),
        **dict.fromkeys(("rm", "rmp", "rmi", "stop", "stopp"), DESTRUCTIVE),
    },
    "git": dict.fromkeys(("status", "log", "diff", "show", "rev-parse", "ls-remote"), READ),
    "exportfs": {"-v": READ, "-s": READ},
    "dmesg": dict.fromkeys(("-T", "-H", "--time-format", "-l", "--level", "-k", "-x"), READ),
    "zfs": {"list": READ, "get": READ, "destroy": DESTRUCTIVE, "rollback": DESTRUCTIVE},
    "zpool": {"status": READ, "list": READ, "iostat": READ, "get": READ},
    "smartctl": {"-a": READ, "-H": READ, "-i": READ, "-x": READ},
    "gdb": {"-p": PROBE, "-batch": PROBE},
    "redis-cli": dict.fromkeys(
        ("info", "role", "ping", "dbsize", "llen", "get", "INFO", "ROLE", "PING"), READ
    ),
    "etcdctl": dict.fromkeys(("endpoint", "get"), READ),
}
"""What a program's first argument says about it. An argument that is not here counts as a change."""

BARE_READS = frozenset(("mount", "dmesg", "date", "hostname", "env", "export", "ip", "umask"))
"""Programs that only read when they are called without arguments."""

HTTP_READS = frozenset(("GET", "HEAD", "OPTIONS"))


def risk_of_kubectl(argv: Sequence[str]) -> Risk:
    """The risk of a kubectl line, without the program's name."""
    words = without_global_flags(argv)
    if not words:
        return READ
    risk = _risk_of_verb(words[0], words[1:])
    return max(risk, CHANGE) if _uses_local_files(words[0], argv) else risk


def _uses_local_files(verb: str, argv: Sequence[str]) -> bool:
    """Whether a line names files of this machine. `-f` follows a log, and is a file for every other verb."""
    for word in argv:
        if word == "--":
            return False
        if word.split("=", 1)[0] in KUBECTL_LOCAL_FLAGS or LOCAL_FORMAT.match(word):
            return True
        if verb != "logs" and re.match(r"-[ARw]*[fk]", word):
            return True
    return False


def _risk_of_verb(verb: str, rest: Sequence[str]) -> Risk:
    if verb in KUBECTL_READS:
        return READ
    if verb in KUBECTL_DESTRUCTIVE:
        return DESTRUCTIVE
    match verb, rest[:1]:
        case "auth", ["can-i" | "whoami"]:
            return READ
        case "rollout", ["status" | "history"]:
            return READ
        case "config", ["view" | "current-context" | "get-contexts" | "get-clusters"]:
            return READ
        case "create", ["job"] if any(word.startswith("--from") for word in rest):
            return PROBE
        case "port-forward" | "proxy", _:
            return PROBE
        case "exec", _:
            inner = rest[rest.index("--") + 1 :] if "--" in rest else ()
            before = rest[rest.index("--") - 1] if "--" in rest[1:] else ""
            if before.startswith("-") and "=" not in before and before not in KUBECTL_EXEC_SWITCHES:
                # The flag takes the -- as its value, and the command begins at a later one.
                return CHANGE
            return risk_of_command(inner) if inner else CHANGE
        case _:
            return CHANGE


def without_global_flags(argv: Sequence[str]) -> list[str]:
    words = list(argv)
    while words and words[0].startswith("-"):
        takes_value = words[0] in KUBECTL_VALUE_FLAGS
        words = words[2:] if takes_value else words[1:]
    return words


def risk_of_method(method: str) -> Risk:
    """The risk of an HTTP request by its method."""
    if method.upper() in HTTP_READS:
        return READ
    return DESTRUCTIVE if method.upper() == "DELETE" else CHANGE


def risk_of_shell(text: str) -> Risk:
    """The risk of a shell line: that of its worst part. A line that cannot be read counts as a change."""
    try:
        found = parse(text)
    except ShellSyntaxError:
        return CHANGE
    return max((_risk_of(command) for command in found), default=READ)


def _risk_of(command: Command) -> Risk:
    risk = risk_of_command(command.words) if command.words else READ
    return max(risk, CHANGE) if command.writes else risk


def _without_assignments(words: Sequence[str]) -> tuple[str, ...]:
    index = 0
    while index < len(words) and re.match(r"^[A-Za-z_]\w*=", words[index]):
        index += 1
    return tuple(words[index:])


SHELL_WORDS = frozenset(
    [
        "if",
        "then",
        "else",
        "elif",
        "fi",
        "for",
        "in",
        "do",
        "done",
        "while",
        "until",
        "case",
        "esac",
        "!",
        "break",
        "continue",
        "exit",
        "set",
    ]
)


def risk_of_command(words: Sequence[str]) -> Risk:
    """The risk of one command from its words. Programs that run another are looked through."""
    words = _without_assignments(words)
    while words and words[0] in SHELL_WORDS:
        if words[0] in ("for", "case", "exit", "set", "break", "continue"):
            return READ
        words = _without_assignments(words[1:])
    if not words:
        return READ
    program = words[0].rsplit("/", 1)[-1]
    rest = tuple(words[1:])
    if program in WRAPPERS and rest:
        return risk_of_command(_unwrapped(program, rest))
    special = _SPECIAL.get(program)
    if special is not None:
        return special(rest)
    if program in DESTROYERS or program.startswith("mkfs."):
        return DESTRUCTIVE
    if program in SUBCOMMANDS:
        return _by_subcommand(program, rest)
    if program in READERS or (program in BARE_READS and not rest):
        return READ
    return CHANGE


def _unwrapped(program: str, rest: tuple[str, ...]) -> tuple[str, ...]:
    values = WRAPPERS[program]
    index = 0
    while index < len(rest) and rest[index].startswith("-"):
        if rest[index] == "--":
            index += 1
            break
        index += 2 if rest[index] in values else 1
    if program == "timeout":
        index += 1
    return _without_assignments(rest[index:])


def _by_subcommand(program: str, rest: tuple[str, ...]) -> Risk:
    table = SUBCOMMANDS[program]
    if not rest:
        return READ if program in BARE_READS else CHANGE
    return table.get(rest[0], CHANGE)


def _sh(rest: tuple[str, ...]) -> Risk:
    for index, word in enumerate(rest):
        if re.fullmatch(r"-[a-z]*c[a-z]*", word):
            return risk_of_shell(rest[index + 1]) if index + 1 < len(rest) else CHANGE
    return CHANGE


def _systemctl(rest: tuple[str, ...]) -> Risk:
    verb = next((word for word in rest if not word.startswith("-")), "status")
    if verb in SYSTEMCTL_READS:
        return READ
    return CHANGE if verb in SYSTEMCTL_CHANGES else DESTRUCTIVE


def _sed(rest: tuple[str, ...]) -> Risk:
    edits = any(re.match(r"^-[nErsuz]*i|^--in-place", word) for word in rest)
    script = " ".join(word for word in rest if not word.startswith("-"))
    return CHANGE if edits or re.search(r"(^|[;{}\s/])[we]\s+\S|/[gpI\d]*[we]\b", script) else READ


def _awk(rest: tuple[str, ...]) -> Risk:
    text = " ".join(rest)
    runs = "system(" in text or "| getline" in text or "|getline" in text or re.search(r'\|\s*"', text)
    writes = re.search(r'>\s*"', text) or "inplace" in text
    return CHANGE if runs or writes else READ


def _find(rest: tuple[str, ...]) -> Risk:
    if "-delete" in rest:
        return DESTRUCTIVE
    for name in ("-exec", "-execdir", "-ok", "-okdir"):
        if name in rest:
            return max(READ, risk_of_command(rest[rest.index(name) + 1 :]))
    return CHANGE if any(word.startswith("-fprint") or word == "-fls" for word in rest) else READ


def _xargs(rest: tuple[str, ...]) -> Risk:
    index = 0
    while index < len(rest) and rest[index].startswith("-"):
        index += 2 if rest[index] in ("-n", "-P", "-I", "-L", "-d", "-s", "-a", "-E") else 1
    return risk_of_command(rest[index:]) if index < len(rest) else READ


def _curl(rest: tuple[str, ...]) -> Risk:
    method = "GET"
    for index, word in enumerate(rest):
        if word in ("-X", "--request") and index + 1 < len(rest):
            return risk_of_method(rest[index + 1])
        if word.startswith("-X") and len(word) > 2:
            return risk_of_method(word[2:])
        if re.match(r"^(-d|--data.*|-F|--form.*|-T|--upload-file|--json)$", word):
            method = "POST"
    writes = any(word in ("-O", "--remote-name") for word in rest)
    outputs = [rest[i + 1] for i, word in enumerate(rest[:-1]) if word in ("-o", "--output")]
    if writes or any(target not in ("/dev/null", "-") for target in outputs):
        return max(CHANGE, risk_of_method(method))
    return risk_of_method(method)


def _vault(rest: tuple[str, ...]) -> Risk:
    words = tuple(word for word in rest if not word.startswith("-"))
    match words:
        case ("status", *_) | ("read", *_) | ("list", *_) | ("version", *_) | ("audit", "list", *_):
            return READ
        case ("operator", "raft", "list-peers", *_) | ("operator", "raft", "autopilot", "state", *_):
            return READ
        case ("operator", "members", *_) | ("operator", "key-status", *_):
            return READ
        case ("operator", "raft", "snapshot", "save", *_):
            return PROBE
        case ("operator", "raft", "snapshot", "restore", *_) | ("operator", "raft", "remove-peer", *_):
            return DESTRUCTIVE
        case ("operator", "seal", *_) | ("operator", "step-down", *_):
            return DESTRUCTIVE
        case _:
            return CHANGE


def _registry(rest: tuple[str, ...]) -> Risk:
    if rest[:1] != ("garbage-collect",):
        return READ if rest[:1] in ((), ("--version",), ("--help",)) else CHANGE
    return READ if any(word in ("--dry-run", "-d", "--dry-run=true") for word in rest) else DESTRUCTIVE


def _docker(rest: tuple[str, ...]) -> Risk:
    if rest[:1] != ("exec",):
        return _by_subcommand("docker", rest)
    index = 1
    while index < len(rest) and rest[index].startswith("-"):
        index += 2 if rest[index] in ("-u", "-w", "-e", "--user", "--workdir", "--env") else 1
    return risk_of_command(rest[index + 1 :]) if index + 1 < len(rest) else CHANGE


def _qm(rest: tuple[str, ...]) -> Risk:
    match rest:
        case ("agent", _, "ping" | "info" | "get-osinfo" | "network-get-interfaces", *_):
            return READ
        case ("guest", "cmd", _, "ping", *_):
            return READ
        case ("monitor", *_):
            return PROBE
        case _:
            return _by_subcommand("qm", rest)


def _ip(rest: tuple[str, ...]) -> Risk:
    changes = {"add", "del", "delete", "set", "flush", "change", "replace", "append", "exec"}
    return CHANGE if changes & set(rest) else READ


def _mount(rest: tuple[str, ...]) -> Risk:
    return READ if not rest or rest == ("-l",) else PROBE if "nfs" in " ".join(rest) else CHANGE


def _journalctl(rest: tuple[str, ...]) -> Risk:
    return CHANGE if any(re.match(r"--(vacuum|rotate|flush|sync|setup)", word) for word in rest) else READ


def _date(rest: tuple[str, ...]) -> Risk:
    return CHANGE if any(word in ("-s", "--set") or word.startswith("--set=") for word in rest) else READ


def _kill(rest: tuple[str, ...]) -> Risk:
    return READ if rest[:1] in (("-0",), ("-l",)) else DESTRUCTIVE


def _ctr(rest: tuple[str, ...]) -> Risk:
    words = tuple(word for word in rest if word not in ("-n", "--namespace", "k8s.io"))
    reads = {("images", "ls"), ("images", "list"), ("containers", "ls"), ("tasks", "ls"), ("version",)}
    return READ if words[:2] in reads or words[:1] in reads else CHANGE


def _sysctl(rest: tuple[str, ...]) -> Risk:
    return CHANGE if any("=" in word or word in ("-w", "-p", "--system") for word in rest) else READ


def _nsenter_like(rest: tuple[str, ...]) -> Risk:
    return CHANGE if "--" not in rest else risk_of_command(rest[rest.index("--") + 1 :])


_SPECIAL: Mapping[str, Callable[[tuple[str, ...]], Risk]] = {
    "sh": _sh,
    "bash": _sh,
    "dash": _sh,
    "ash": _sh,
    "systemctl": _systemctl,
    "sed": _sed,
    "awk": _awk,
    "gawk": _awk,
    "mawk": _awk,
    "find": _find,
    "xargs": _xargs,
    "curl": _curl,
    "vault": _vault,
    "registry": _registry,
    "docker-registry": _registry,
    "docker": _docker,
    "qm": _qm,
    "ip": _ip,
    "mount": _mount,
    "journalctl": _journalctl,
    "date": _date,
    "kill": _kill,
    "ctr": _ctr,
    "sysctl": _sysctl,
    "nsenter": _nsenter_like,
    "kubectl": risk_of_kubectl,
}


def judge_command(words: Sequence[str]) -> Judgement:
    """Judge one command from its words."""
    return _judged(risk_of_command(words), words[0] if words else "")


def judge_shell(text: str) -> Judgement:
    """Judge a shell line: by its worst part."""
    return _judged(risk_of_shell(text), text)


def judge_kubectl(words: Sequence[str]) -> Judgement:
    """Judge a kubectl line, without the program's name."""
    return _judged(risk_of_kubectl(words), words[0] if words else "")


def judge_method(method: str) -> Judgement:
    """Judge an HTTP request by its method."""
    return _judged(risk_of_method(method), method)


def _judged(risk: Risk, word: str) -> Judgement:
    knowledge = (
        Knowledge.READS if risk is READ else Knowledge.UNKNOWN if risk is CHANGE else Knowledge.CHANGES
    )
    return Judgement(risk, knowledge, f"{word}: {risk.word}", "" if risk is READ else word)
