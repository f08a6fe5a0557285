"""Print the script that makes a shell complete commands, options, and names of runbooks, scenarios and
sessions.

examples:
  eval "$(breakglass completion bash)"                                    in ~/.bashrc
  eval "$(breakglass completion zsh)"                                     in ~/.zshrc
  breakglass completion fish > ~/.config/fish/completions/breakglass.fish
"""

import sys
from argparse import SUPPRESS, Action, ArgumentParser, Namespace
from collections.abc import Callable, Iterable, Mapping, Sequence

from breakglass.cli.main import COMMANDS, load

SEPARATOR = "\x1f"
"""Stands between the words that a shell hands over; as arguments, argparse would swallow a `--`."""

BASH = """\
_breakglass() {
    local IFS=$'\\x1f'
    mapfile -t COMPREPLY < <(breakglass completion --words="${COMP_WORDS[*]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _breakglass breakglass
"""

ZSH = """\
#compdef breakglass
_breakglass() {
    local -a found
    found=("${(@f)$(breakglass completion --words="${(pj:\\x1f:)words[2,CURRENT]}" 2>/dev/null)}")
    if [[ -n $found[1] ]]; then compadd -a found; else _files; fi
}
if (( ! $+functions[compdef] )); then autoload -Uz compinit && compinit; fi
if [[ $funcstack[1] = _breakglass ]]; then _breakglass "$@"; else compdef _breakglass breakglass; fi
"""

FISH = """\
function __breakglass_words
    set -l before (commandline -opc)
    set -l partial (commandline -ct)
    set -l words $before[2..-1] "$partial"
    set -l found (breakglass completion --words=(string join \\x1f -- $words) 2>/dev/null)
    if set -q found[1]
        printf '%s\\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end
complete -c breakglass -f -a '(__breakglass_words)'
"""

SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("shell", nargs="?", choices=SCRIPTS, help="the shell that the script is for")
    parser.add_argument("--words", help=SUPPRESS)


def run(arguments: Namespace) -> int:
    if arguments.words is not None:
        sys.stdout.writelines(f"{word}\n" for word in candidates(arguments.words.split(SEPARATOR)))
        return 0
    if arguments.shell is None:
        print(f"name a shell: {', '.join(SCRIPTS)}", file=sys.stderr)
        return 2
    print(SCRIPTS[arguments.shell], end="")
    return 0


def candidates(words: Sequence[str]) -> list[str]:
    """What can stand for the last of the words after `breakglass`. Nothing means: a file name, perhaps."""
    *before, partial = words
    command = next((word for word in before if not word.startswith("-")), None)
    if command is None:
        return _beginning(partial, [*COMMANDS, "--help", "--version"])
    if command not in COMMANDS:
        return []
    parser = ArgumentParser()
    load(command, parser)
    known = actions_of(parser)
    value_of, given = _so_far(known, before[before.index(command) + 1 :])
    if value_of is not None:
        return _beginning(partial, _values(value_of, given))
    if partial.startswith("-"):
        shown = [action for action in known if action.help != SUPPRESS]
        return _beginning(partial, [name for action in shown for name in action.option_strings])
    positionals = [action for action in known if not action.option_strings]
    at = len(given) if len(given) < len(positionals) else -1
    if not positionals or (at == -1 and positionals[-1].nargs not in ("*", "+")):
        return []
    return _beginning(partial, _values(positionals[at], given))


def actions_of(parser: ArgumentParser) -> list[Action]:
    """The options and positional arguments of a parser; argparse has no public way to ask for them."""
    return list(parser._actions)  # pyright: ignore[reportPrivateUsage]


def _so_far(known: Iterable[Action], words: Iterable[str]) -> tuple[Action | None, list[str]]:
    """The option that waits for its value, if one does, and the positional arguments that are given."""
    by_name = {name: action for action in known for name in action.option_strings}
    waiting: Action | None = None
    given: list[str] = []
    for word in words:
        if waiting is not None:
            waiting = None
        elif word in by_name:
            waiting = by_name[word] if by_name[word].nargs != 0 else None
        elif not word.startswith("-"):
            given.append(word)
    return waiting, given


def _values(action: Action, given: Sequence[str]) -> Iterable[str]:
    if action.choices is not None:
        return [str(choice) for choice in action.choices]
    names = _NAMES.get(action.dest)
    return names(given) if names is not None else []


def _runbooks(given: Sequence[str]) -> list[str]:
    from breakglass.runbook.library import all_runbooks

    return list(dict.fromkeys(found.name for found in all_runbooks()))


def _scenarios(given: Sequence[str]) -> list[str]:
    from breakglass.runbook.library import RunbookNotFoundError, find_runbook

    try:
        return [path.stem for path in find_runbook(given[0]).scenarios]
    except RunbookNotFoundError:
        return []


def _sessions(given: Sequence[str]) -> list[str]:
    from breakglass.journal.folders import all_sessions, state_folder

    return ["last", *(folder.name for folder in reversed(all_sessions(state_folder())))]


def _inputs(given: Sequence[str]) -> list[str]:
    from breakglass.errors import UserError
    from breakglass.runbook.library import find_runbook
    from breakglass.runbook.load import load_runbook

    try:
        runbook = load_runbook(find_runbook(given[0]).path)
    except (UserError, IndexError):
        return []
    return [f"{each.name}=" for each in runbook.inputs]


_NAMES: Mapping[str, Callable[[Sequence[str]], list[str]]] = {
    "runbook": _runbooks,
    "what": _runbooks,
    "scenario": _scenarios,
    "session": _sessions,
    "input": _inputs,
}
"""Where the names come from, by what the argument is called."""


def _beginning(partial: str, some: Iterable[str]) -> list[str]:
    return [each for each in some if each.startswith(partial)]
