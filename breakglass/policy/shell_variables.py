"""Variables that cannot be set to any text without a shell making something else of it."""

import re

from breakglass.policy.shell_words import ShellSyntaxError

_EVALUATED = frozenset(
    (
        *("RANDOM", "SRANDOM", "SECONDS", "EPOCHSECONDS", "LINENO", "OPTIND", "HISTCMD", "BASH_SUBSHELL"),
        *("UID", "EUID", "PPID", "BASHPID", "MBEGIN", "MEND", "HISTSIZE", "SAVEHIST", "COLUMNS", "LINES"),
        *("FUNCNEST", "KEYTIMEOUT", "LISTMAX", "TMOUT", "TTYIDLE", "SHLVL", "ERRNO", "GID", "EGID", "PERIOD"),
        *("LOGCHECK", "MAILCHECK", "DIRSTACKSIZE", "BAUD"),
    )
)
"""Variables whose new value bash or zsh evaluates as arithmetic, which can run commands."""

_ZSH = frozenset(
    (
        *("path", "fpath", "cdpath", "mailpath", "manpath", "module_path", "fignore", "psvar", "argv"),
        *("status", "pipestatus", "histchars", "watch", "prompt", "signals", "options", "commands"),
        *("aliases", "functions", "builtins", "parameters", "match", "mbegin", "mend"),
    )
)
"""Variables that are the shell's own in zsh only: `path` is PATH."""


def refuse_special_variable(name: str, value: str, offset: int) -> None:
    """Refuse, with ShellSyntaxError, to set a variable that has a meaning to some shell only."""
    if name in _ZSH:
        raise ShellSyntaxError(f"{name} is a variable of zsh's own; choose another name", offset)
    if name in _EVALUATED and re.fullmatch(r"[0-9]+", value) is None:
        raise ShellSyntaxError(f"{name} can be set to a plain number only; choose another name", offset)
