"""Print the script that makes a shell complete commands, options, and names of runbooks, scenarios and
sessions.

examples:
  eval "$(breakglass completion bash)"                                    in ~/.bashrc
  eval "$(breakglass completion zsh)"                                     in ~/.zshrc
  breakglass completion fish > ~/.config/fish/completions/breakglass.fish
"""

from argparse import Action, ArgumentParser, Namespace
from collections.abc import Callable, Iterable, Mapping

from argcomplete import autocomplete
from argcomplete.completers import BaseCompleter, FilesCompleter
from argcomplete.shell_integration import shellcode


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("shell", choices=("bash", "zsh", "fish"), help="the shell that the script is for")


def run(arguments: Namespace) -> int:
    print(shellcode(["breakglass"], shell=arguments.shell))
    return 0


def complete(program: ArgumentParser) -> None:
    """Answer the shell that presses Tab, as its script asks in the environment, and end the program."""
    autocomplete(program, always_complete_options=False, default_completer=_KnownNames())


class _KnownNames(BaseCompleter):
    """Names for the arguments that take one, by what the argument is called; else files."""

    def __call__(
        self, *, prefix: str, action: Action, parser: ArgumentParser, parsed_args: Namespace
    ) -> Iterable[str]:
        names = _NAMES.get(action.dest)
        return FilesCompleter()(prefix) if names is None else names(parsed_args)


def _one_s_own(given: Namespace) -> list[str]:
    """Words that nobody but the person at the keyboard knows."""
    return []


def _runbooks(given: Namespace) -> list[str]:
    from breakglass.runbook.library import all_runbooks

    return [found.name for found in all_runbooks()]


def _scenarios(given: Namespace) -> list[str]:
    from breakglass.runbook.library import RunbookNotFoundError, find_runbook

    try:
        return [path.stem for path in find_runbook(str(given.runbook)).scenarios]
    except RunbookNotFoundError:
        return []


def _sessions(given: Namespace) -> list[str]:
    from breakglass.journal.folders import all_sessions, state_folder

    return ["last", *(folder.name for folder in reversed(all_sessions(state_folder())))]


def _inputs(given: Namespace) -> list[str]:
    from breakglass.errors import UserError
    from breakglass.runbook.library import find_runbook
    from breakglass.runbook.load import load_runbook

    try:
        runbook = load_runbook(find_runbook(str(given.runbook)).path)
    except UserError:
        return []
    return [f"{each.name}=" for each in runbook.inputs]


_NAMES: Mapping[str, Callable[[Namespace], list[str]]] = {
    "runbook": _runbooks,
    "what": _runbooks,
    "of": _runbooks,
    "scenario": _scenarios,
    "session": _sessions,
    "input": _inputs,
    "words": _one_s_own,
    "name": _one_s_own,
}
