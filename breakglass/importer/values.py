"""What a page leaves to be filled in, as inputs, secrets and captured values of the draft.

`<placeholders>` and shell variables become `${{ }}`; a `NAME=value` line says what the value is at first.
"""

import re
from dataclasses import dataclass, field

from breakglass.errors import NotUnderstoodError

_PLACEHOLDER = re.compile(r"(?<!<)<([A-Za-z](?:[^<>\n|;&$`]{0,58}[^<>\n|;&$`\s])?)>")
_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))")
_SECRET = re.compile(r"TOKEN|PASSW|SECRET|CREDENTIAL|API_?KEY|UNSEAL", re.IGNORECASE)
_TAKES_A_SECRET = re.compile(r"\b(?:unseal|login|htpasswd|passwd)\b")
"""Commands whose operand is nothing to keep on record."""

_NOT_WORDS = re.compile(r"[^a-z0-9]+")
_ARTICLES = re.compile(r"^(?:the|your|my|a|an|name_of|value_of)_+")
_WORDS_OF_CEL = frozenset(
    (
        *("true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function"),
        *("if", "import", "let", "loop", "math", "package", "namespace", "return", "var", "void", "while"),
        *("inputs", "site", "session", "result", "results", "item", "secrets"),
    )
)
_OF_THE_SHELL = frozenset(
    (
        *("HOME", "PATH", "USER", "LOGNAME", "PWD", "OLDPWD", "HOSTNAME", "SHELL", "TMPDIR", "LANG"),
        *("EDITOR", "RANDOM", "UID", "EUID", "SECONDS", "IFS", "TERM", "LINENO", "PPID", "BASHPID"),
    )
)
"""Variables that every shell has."""


class NotATemplateError(NotUnderstoodError):
    """The text cannot be a template as it stands."""


@dataclass(slots=True)
class GivenValue:
    """A value that the operator gives. default: what the page says, empty where it says nothing."""

    help: str
    default: str = ""


@dataclass(slots=True)
class Values:
    """What is known of a page's values so far."""

    inputs: dict[str, GivenValue] = field(default_factory=dict[str, GivenValue])
    captured: list[str] = field(default_factory=list[str])
    variables: dict[str, str] = field(default_factory=dict[str, str])
    """Shell variables, with the expression that each is."""

    def assign(self, name: str, value: str) -> None:
        """Note `NAME=value` of the page: a plain value is the input's default, and a placeholder its help."""
        value = value.strip()
        if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        if _SECRET.search(name):
            self.variables[name] = f"secrets.{identifier(name)}"
            return
        whole = re.fullmatch(r"<(.*)>|\.\.\.|…|", value, re.DOTALL)
        known = self._input(name, whole[1] or "" if whole else "")
        plain = whole is None and "$" not in value and "`" not in value and "<" not in value
        if plain and value and value.isprintable():
            self.inputs[known].default = value
        elif whole is None:
            self.inputs[known].help = self.inputs[known].help or f"The page says: {value}"
        self.variables[name] = f"inputs.{known}"

    def capture(self, wanted: str, variable: str = "") -> str:
        """A new name for a captured value, and for the shell variable that it stands for."""
        name = unique(identifier(wanted), (*self.captured, *self.inputs))
        self.captured.append(name)
        if variable:
            self.variables[variable] = name
        return name

    def template(self, text: str, *, remote: bool = False, own: frozenset[str] = frozenset()) -> str:
        """The text as a template. remote: it is text for a shell, which expands the variables that are its
        `own` and those of every shell. Raises NotATemplateError."""
        out, quote, index = "", "", 0
        secretive = _TAKES_A_SECRET.search(text) is not None
        while index < len(text):
            character = text[index]
            if character == "\\" and quote != "'" and index + 1 < len(text):
                out += text[index : index + 2]
                index += 2
                continue
            if character == "'" and quote != '"':
                quote = "" if quote else "'"
            elif character == '"' and quote != "'":
                quote = "" if quote else '"'
            if (found := _PLACEHOLDER.match(text, index)) and not text.startswith("<<", index - 1):
                out = self._put(out, self._placeholder(found[1], secretive), quotes=remote and not quote)
                index = found.end()
                continue
            if quote != "'" and (found := _VARIABLE.match(text, index)):
                expression = self._variable(found[1] or found[2], remote, own)
                if expression:
                    out = self._put(out, expression, quotes=remote and not quote)
                    index = found.end()
                    continue
            if text.startswith("${{", index):
                out += "$"
            out += character
            index += 1
        return out

    def _put(self, before: str, expression: str, *, quotes: bool) -> str:
        if before.endswith("$"):
            raise NotATemplateError("a value right after a $")
        value = f"${{{{ {expression} }}}}"
        return f'{before}"{value}"' if quotes else f"{before}{value}"

    def _placeholder(self, words: str, secretive: bool) -> str:
        if secretive or _SECRET.search(words.replace(" ", "_").replace("-", "_")):
            return f"secrets.{identifier(words)}"
        return f"inputs.{self._input(words, words)}"

    def _variable(self, name: str, remote: bool, own: frozenset[str]) -> str:
        if name in own or name in _OF_THE_SHELL or name.isdigit():
            return ""
        if name in self.variables:
            return self.variables[name]
        if remote and not name.isupper():
            return ""
        if _SECRET.search(name):
            return f"secrets.{identifier(name)}"
        return f"inputs.{self._input(name, '')}"

    def _input(self, words: str, says: str) -> str:
        name = identifier(words)
        if name in self.captured:
            name = unique(f"{name}_given", (*self.captured,))
        known = self.inputs.setdefault(name, GivenValue(""))
        known.help = known.help or says.strip().strip("\"'")
        return name


def identifier(words: str) -> str:
    """A name in lower case for what words say."""
    name = _NOT_WORDS.sub("_", words.lower()).strip("_")
    name = _ARTICLES.sub("", name)[:40].strip("_") or "value"
    if name[0].isdigit():
        name = f"v_{name}"
    return f"{name}_name" if name in _WORDS_OF_CEL and name != "namespace" else name


def unique(name: str, taken: tuple[str, ...]) -> str:
    """The name, with a number where it is taken."""
    if name == "namespace":
        name = "namespace_found"
    found, number = name, 1
    while found in taken:
        number += 1
        found = f"{name}_{number}"
    return found


def escaped(text: str) -> str:
    """Text as a template that holds no value."""
    return text.replace("${{", "$${{")
