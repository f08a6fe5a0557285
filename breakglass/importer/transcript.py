"""A block of code as the commands that a person is to run, with what is shown of their output.

Prompts, comments, continued lines, here-documents and shown output are told apart by the form of the lines
and by the programs that the policy's tables know. What is no command is left as text.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from breakglass.importer.page import CodeBlock
from breakglass.policy.commands import is_known
from breakglass.runbook.lint.style import VERBS

SHELLS = frozenset(("sh", "bash", "shell", "zsh", "ksh", "dash", "fish"))
SESSIONS = frozenset(("console", "shell-session", "shellsession", "sh-session", "terminal", "session", "cmd"))
_UNSAID = frozenset(("", "text", "txt", "plain", "plaintext", "none", "code"))
"""Languages of blocks that may hold anything."""

OTHER_PROGRAMS = frozenset(
    (
        *("kubectl", "oc", "ssh", "scp", "rsync", "curl", "wget", "helm", "terraform", "ansible", "make"),
        *("ansible-playbook", "argocd", "flux", "vault", "bao", "consul", "nomad", "etcdctl", "crictl"),
        *("k3s", "gcloud", "gsutil", "aws", "az", "doctl", "redis-cli", "psql", "pg_ctl", "mysql"),
        *("mongosh", "promtool", "amtool", "knife", "chef-client", "qm", "pct", "pvesm", "pvecm", "pvesh"),
        *("pveum", "pveceph", "vzdump", "zpool", "zfs", "ceph", "rbd", "velero", "talosctl", "kubeadm"),
        *("cilium", "calicoctl", "istioctl", "docker", "podman", "nerdctl", "ctr", "skopeo", "systemctl"),
        *("journalctl", "virsh", "mdadm", "cd", "export", "source", "sudo", "su", "exit", "logout"),
        *("watch", "time", "tmux", "screen", "git", "go", "python", "python3", "perl", "ruby", "node"),
        *("npm", "vi", "vim", "nano", "while", "for", "if", "until", "set", "alias", "eval", "exec"),
        *("sleep", "reboot", "shutdown", "poweroff", "apt", "apt-get", "yum", "dnf", "rpm", "dpkg", "snap"),
        *("restic", "borg", "rclone", "openssl", "jq", "yq", "nc", "ncat", "telnet"),
    )
)
"""Programs and words of the shell that pages tell people to run, beside those that the policy knows."""

_USER = re.compile(
    r"^\[?(?P<user>[A-Za-z_][\w.-]*)@(?P<host>[A-Za-z0-9][\w.-]*)[^\n#$%]{0,60}?\]?\s?[#$%]\s+(?P<rest>\S.*)$"
)
_HOST = re.compile(
    r"^(?P<host>[a-z][a-z0-9]*(?:[-.][a-z0-9]+)+|[a-z]+[0-9]+|workstation|laptop|host|node)\s*[$#]\s+(?P<rest>\S.*)$"
)
_PLAIN = re.compile(
    r"^(?:\([\w.-]+\)\s*)?(?:[$%❯]|➜\s+\S+|(?:ba|z|da)?sh-[0-9.]+[$#]|[~/][\w./~-]*\s?[#$])\s+(?P<rest>\S.*)$"
)
_ROOT = re.compile(r"^#\s+(?P<rest>\S.*)$")
_MORE = re.compile(r"^>\s(?P<rest>.*)$")
_FOREIGN = re.compile(
    r"^(?:PS [A-Za-z]:\\[^>]*>|>>>|\.\.\.(?= \S)|[\w.:()\[\]-]*[\w)\]](?:[=-][#>*]|>))(?:\s|$)"
)
"""The prompt of another program: of a database, of Python, of PowerShell."""

_INLINE = re.compile(
    r"\s*(?P<item>(?:[-*+]|\d+[.)])\s+)?(?:\[[ x]\]\s+)?"
    r"(?P<lead>(?:(?:[Tt]hen,? )?(?:[Rr]un|[Ee]xecute|[Uu]se|[Tt]ype|[Dd]o)\b:?\s*)?"
    r"|[A-Z][^\n]{2,150}(?:\n[^\n]{2,150})?[:y]\s+)"
    r"`(?P<command>[^`\n]+)`[.:;]?\s*"
)
_FUNCTION = re.compile(r"^(?:function\s+)?[A-Za-z_][\w-]*\s*\(\)\s*\{|^function\s+\w+")
_COMMENT = re.compile(r"^\s*#+(?!!)\s*(?P<text>.*)$")
_EXPECTS = re.compile(
    r"^(?:(?:example|sample|expected?|the) )*"
    r"(?:expect(?:ed|s)?|should|(?:no )?output|result|returns?|you should see|→|=>)\b[ :]?",
    re.IGNORECASE,
)
_SETTING = re.compile(r"[A-Z_][A-Z0-9_]+=\S")
_HEREDOC = re.compile(r"<<-?\s*(['\"]?)([A-Za-z_]\w*)\1")
_ASSIGNED = re.compile(r"^(?:export\s+)?[A-Za-z_]\w*=")
_ONLY_ASSIGNED = re.compile(
    r"""^(?:export\s+)?(?:[A-Za-z_]\w*=(?:"(?:[^"\\]|\\.)*"?|'[^']*'?|\$\(.*|`.*|[^\s'"])*(?:\s+|\Z))+\Z""",
    re.DOTALL,
)
_COMPOUND = re.compile(
    r"^(?:for \w+ in\b.*|(?:while|until|if)\b.*(?:;\s*|\s)(?:do|then)\b.*|case \S+ in\b.*)"
)
_FIRST = re.compile(
    r"^(?:sudo\s+(?:-\S+\s+)*)?(?:[A-Za-z_]\w*=(?:\"[^\"]*\"|'[^']*'|\S*)\s+)*(?P<program>\S+)(?P<rest>.*)$",
    re.DOTALL,
)
_PROGRAM = re.compile(r"(?:\.{0,2}/|~/)?[A-Za-z0-9_][\w.+-]*(?:/[\w.+-]+)*|\[\[?|[({]|<[\w .-]+>|\$\{?\w+\}?")
_TABLE = re.compile(r"\S(?: {3,}|\t+)\S")
_ENGLISH = frozenset(
    (
        *("a", "an", "the", "this", "that", "these", "all", "each", "any", "is", "are", "was", "if", "it"),
        *("its", "of", "in", "to", "on", "for", "with", "from", "and", "or", "not", "no", "should", "must"),
        *("will", "can", "you", "your", "we", "our", "by"),
    )
)
_BEGINNINGS = {"for": "done", "while": "done", "until": "done", "if": "fi", "case": "esac"}
_MOST_LINES = 400
"""Lines of one command, beyond which an open quote is an apostrophe."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command. text: without its prompt. comments: those before it, and behind it on its line. shown: the
    output that the page shows. expected: what comments say that it gives. host: whom its prompt names. line:
    where it begins in the page."""

    text: str
    line: int
    comments: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()
    expected: tuple[str, ...] = ()
    host: str = ""


@dataclass(frozen=True, slots=True)
class Other:
    """Lines that are no command of a shell."""

    text: str
    line: int


Entry: TypeAlias = Command | Other


@dataclass(slots=True)
class _Found:
    """A command while its lines are read."""

    text: str
    line: int
    comments: list[str]
    host: str = ""
    shown: list[str] = field(default_factory=list[str])
    expected: list[str] = field(default_factory=list[str])


def entries_of(code: CodeBlock) -> tuple[Entry, ...]:
    """The commands of a block in their order, and what is none of them."""
    lines = code.text.rstrip("\n").split("\n")
    if not _may_hold_commands(code.language) or not any(line.strip() for line in lines):
        return _as_text(code)
    return tuple(_Reader(lines, code).entries())


def inline_command(text: str) -> str:
    """The command that a line of prose is, or ends in, as in "- Stop it: `systemctl stop nfs-server`"; empty
    for any other text."""
    found = _INLINE.fullmatch(text)
    if found is None or " " not in found["command"]:
        return ""
    verb = found["lead"].split(maxsplit=1)[0].lower() if found["lead"].strip() else ""
    told = found["item"] is not None and verb in VERBS
    return found["command"] if looks_like_command(found["command"], sure=not told) else ""


def _may_hold_commands(language: str) -> bool:
    return language in SHELLS or language in SESSIONS or language in _UNSAID


def _as_text(code: CodeBlock) -> tuple[Entry, ...]:
    return (Other(code.text.rstrip(), code.line),) if code.text.strip() else ()


class _Reader:
    def __init__(self, lines: Sequence[str], code: CodeBlock) -> None:
        self._lines = lines
        self._first = code.line
        self._shell = code.language in SHELLS
        self._at = 0
        plain = [line.strip() for line in lines if line.strip()]
        self._prompted = any(_prompt(line) for line in plain)
        hashes = [line for line in plain if line.startswith("#")]
        others = [line for line in plain if not line.startswith("#")]
        self._root = (
            not self._prompted
            and bool(hashes)
            and all(_looks_run(found["rest"]) for line in hashes if (found := _ROOT.match(line)))
            and not any(looks_like_command(line, sure=True) for line in others)
        )
        """Whether a `#` is the prompt of root."""
        self._current: _Found | None = None
        self._comments: list[str] = []
        self._text: list[str] = []
        self._text_line = 0
        self._expecting = False
        """Whether comments say what the command above gives."""
        self._quoted = bool(plain) and all(line.startswith("> ") for line in plain)

    def entries(self) -> Iterator[Entry]:
        while self._at < len(self._lines):
            number, line = self._at, self._lines[self._at].rstrip()
            self._at += 1
            if not line.strip():
                self._blank()
            elif told := self._command(line.strip()):
                yield from self._begin(*told, self._first + number)
            elif not self._is_comment(line):
                self._other(line, self._first + number)
        if self._current is not None:
            yield _done(self._current)
        text = [*self._text, *(f"# {each}" for each in self._comments)]
        if text:
            yield Other("\n".join(text), self._text_line or self._first)

    def _blank(self) -> None:
        self._expecting = False
        if self._current is not None and self._current.shown:
            self._current.shown.append("")

    def _begin(self, command: str, host: str, line: int) -> Iterator[Entry]:
        """Begin a command, and give what stands before it."""
        if self._current is not None:
            yield _done(self._current)
        if self._text:
            yield Other("\n".join(self._text), self._text_line)
        self._text, self._text_line, self._expecting = [], 0, False
        bare, behind = _without_comment(self._whole(command))
        after = [behind] if behind and not _EXPECTS.match(behind) else []
        self._current = _Found(bare, line, [*self._comments, *after], host)
        self._current.expected += [behind] if behind and not after else []
        self._comments = []

    def _is_comment(self, line: str) -> bool:
        """Whether a line is a comment; then it is kept for the command that it belongs to."""
        comment = None if self._root else _COMMENT.match(line)
        if comment is None or (self._prompted and self._current is not None and self._current.shown):
            return False
        words = comment["text"].strip()
        if self._current is not None and (self._expecting or _EXPECTS.match(words)):
            self._current.expected.append(words)
            self._expecting = True
        elif words:
            self._comments.append(words)
        return True

    def _other(self, line: str, number: int) -> None:
        """Keep a line that is no command: output of the one above it, or text."""
        comments, self._comments = self._comments, []
        if self._current is not None and not _FOREIGN.match(line.strip()):
            self._current.shown += [*comments, line]
            return
        self._text_line = self._text_line or number
        self._text += [*(f"# {each}" for each in comments), line]

    def _command(self, line: str) -> tuple[str, str] | None:
        """The command that begins with a line, and the host that its prompt names."""
        if found := _prompt(line):
            return found
        if self._root and (root := _ROOT.match(line)):
            return root["rest"], ""
        if self._quoted and (more := _MORE.match(line)):
            return more["rest"], ""
        if (comment := _COMMENT.match(line)) and _SETTING.match(comment["text"]):
            return comment["text"], ""
        if self._prompted or self._root or _FOREIGN.match(line) or line.startswith("#"):
            return None
        return (line, "") if looks_like_command(line, sure=not self._shell) else None

    def _whole(self, text: str) -> str:
        """A command with the lines that belong to it."""
        start = self._at
        while _is_open(text) and self._at < len(self._lines) and self._at - start < _MOST_LINES:
            line = self._lines[self._at].rstrip()
            more = _MORE.match(line.strip()) if self._prompted else None
            text += "\n" + (more["rest"] if more else line)
            self._at += 1
        if _is_open(text) and not text.rstrip().endswith("\\"):
            # What it opened is never closed: an apostrophe, or a block that shows a part of something.
            self._at = start
            return text.split("\n", 1)[0]
        return text


def _prompt(line: str) -> tuple[str, str] | None:
    for pattern in (_USER, _HOST, _PLAIN):
        if (found := pattern.match(line)) and not _FOREIGN.match(line):
            host = found.groupdict().get("host") or ""
            if pattern is _HOST and is_known(host):
                continue
            return found["rest"], "" if host in ("workstation", "laptop", "localhost", "local") else host
    return None


def looks_like_command(line: str, *, sure: bool = False) -> bool:
    """Whether a line without a prompt is a command. With `sure`, only where its program is known."""
    found = _FIRST.match(line)
    if _COMPOUND.match(line) or _FUNCTION.match(line):
        return True
    if sure and re.match(r"(?!export\s)[A-Za-z_]*[a-z]\w*=", line):
        return False
    if _ASSIGNED.match(line) and _ONLY_ASSIGNED.match(line):
        return True
    if found is None or not _PROGRAM.fullmatch(found["program"]):
        return False
    program, rest = found["program"], found["rest"]
    name = program.rpartition("/")[2]
    known = is_known(name) or name in OTHER_PROGRAMS or line.startswith("sudo ")
    if known:
        return _looks_run(line) or (not sure and not rest.strip())
    if (
        sure
        or _TABLE.search(line)
        or rest.lstrip().startswith(("=", ":", "("))
        or "/" in program.lstrip("./~")
    ):
        return program.startswith(("./", "/", "~/")) and not rest.lstrip().startswith(("=", ":"))
    return (
        program[0].islower() and not program.endswith((".", ":")) and _looks_run(line) and bool(rest.strip())
    )


def _looks_run(line: str) -> bool:
    """Whether a line reads as a command rather than as a sentence."""
    found = _FIRST.match(line)
    if found is None:
        return False
    name = found["program"].rpartition("/")[2]
    if not (is_known(name) or name in OTHER_PROGRAMS or found["program"].startswith(("./", "/"))):
        words = line.split()
        return name[:1].islower() and name not in _ENGLISH and not (_ENGLISH & set(words[1:4]))
    words = [word.strip(".,:").lower() for word in found["rest"].split()]
    if not words:
        return True
    if any(word.startswith(("-", "/", "$", "<", "'", '"')) or "=" in word or "/" in word for word in words):
        return True
    return not (_ENGLISH & set(words)) and not line.endswith((".", ":"))


def _is_open(text: str) -> bool:
    """Whether more lines belong to a command: a backslash, a quote, a here-document, a loop."""
    if heredoc := _HEREDOC.search(text):
        return not re.search(rf"^\s*{heredoc[2]}\s*$", text.partition("\n")[2], re.MULTILINE)
    if _FUNCTION.match(text):
        return re.search(r"^\s*\}\s*$|\{.*\}\s*$", text, re.MULTILINE) is None
    quote, bare, index = "", "", 0
    while index < len(text):
        character = text[index]
        if character == "\\" and quote != "'":
            index += 2
            if index > len(text):
                return True
            continue
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character == "#" and (index == 0 or text[index - 1].isspace()):
            index = (text.find("\n", index) + len(text) + 1) % (len(text) + 1)
            continue
        else:
            bare += character
        index += 1
    words = re.findall(r"[A-Za-z]+|[(){}]", bare)
    if quote or text.rstrip(" \t").endswith(("\\", "|", "&&", "||")):
        return True
    if bare.count("$(") and bare.count("(") > bare.count(")"):
        return True
    begins = bare.split(maxsplit=1)[0] if bare.split() else ""
    end = _BEGINNINGS.get(begins)
    return end is not None and words.count(end) < 1


def _without_comment(text: str) -> tuple[str, str]:
    """A command of one line, and the comment behind it."""
    if "\n" in text:
        return text, ""
    quote = ""
    for index, character in enumerate(text):
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif (
            character == "#"
            and text[index - 1 : index].isspace()
            and not text[index + 1 : index + 2].isalnum()
        ):
            return text[:index].rstrip(), text[index:].lstrip("# ").rstrip()
    return text, ""


def _done(found: _Found) -> Command:
    shown = tuple("\n".join(found.shown).strip("\n").split("\n")) if found.shown else ()
    return Command(found.text, found.line, tuple(found.comments), shown, tuple(found.expected), found.host)
