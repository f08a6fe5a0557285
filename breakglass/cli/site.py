"""Write a first site file from the kubeconfig and the SSH configuration of this machine.

Nothing is overwritten, nothing is connected to, and no secret is read. Two questions are asked, where there
is a terminal to ask on.

examples:
  breakglass site init                              writes site.yaml
  breakglass site init lab.yaml --name lab --yes    asks nothing
  breakglass site init - --context admin@lab --host pve --host node1
"""

import os
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from breakglass.cli import site_explain
from breakglass.errors import UserError
from breakglass.runbook.library import unique_runbooks
from breakglass.runbook.load import load_runbook
from breakglass.runbook.model import Uses
from breakglass.site.draft import Contexts, Draft, SshConfigHost, aliases_in, contexts_in, site_text
from breakglass.site.load import read_site
from breakglass.yamlio.position import InvalidFileError

SERVICES = frozenset({"git", "hg", "svn"})
"""Users of SSH hosts that are no machine to log in to."""


class SiteFileError(UserError):
    """The site file cannot be written."""


def add_arguments(parser: ArgumentParser) -> None:
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    init = actions.add_parser(
        "init",
        help="write a first site file",
        description=__doc__,
        formatter_class=RawDescriptionHelpFormatter,
    )
    init.add_argument("file", nargs="?", default="site.yaml", help="where to; `-` prints it (site.yaml)")
    init.add_argument("--name", help="the site's name; otherwise the current context's")
    init.add_argument("--practice", action="store_true", help="no real users depend on it")
    init.add_argument("--kubeconfig", type=Path, help="otherwise KUBECONFIG or ~/.kube/config")
    init.add_argument("--context", action="append", help="only this one; may be repeated")
    init.add_argument("--ssh-config", type=Path, help="otherwise ~/.ssh/config")
    init.add_argument("--host", action="append", help="only this Host of it; may be repeated")
    init.add_argument("--yes", action="store_true", help="ask nothing")
    init.set_defaults(run_action=_init)
    explain = actions.add_parser(
        "explain",
        help="how one gets into a host or a cluster, and which file and line says so",
        description=site_explain.__doc__,
        formatter_class=RawDescriptionHelpFormatter,
    )
    site_explain.add_arguments(explain)


def run(arguments: Namespace) -> int:
    action: Callable[[Namespace], int] = arguments.run_action
    return action(arguments)


def _init(arguments: Namespace) -> int:
    file = Path(arguments.file)
    printed = arguments.file == "-"
    if not printed and file.exists():
        raise SiteFileError(f"{file} is there already and is not overwritten; give another name")
    contexts = _contexts(arguments.kubeconfig, arguments.context)
    machines = _machines(arguments.ssh_config, arguments.host)
    name = next((context.name for context in contexts.contexts if not context.broken), "site")
    ssh_config = arguments.ssh_config and arguments.ssh_config.expanduser().absolute()
    draft = Draft(arguments.name or name, not arguments.practice, contexts, machines, ssh_config, _needs())
    if sys.stdin.isatty() and not arguments.yes:
        draft = _asked(draft, arguments)
    text = site_text(draft)
    site, problems = read_site(text, file)
    if site is None:
        raise SiteFileError(
            "the draft would not load, which is a fault of breakglass; report it with these lines:\n"
            + "\n".join(map(str, problems))
        )
    if printed:
        print(text, end="")
        return 0
    _write(file, text)
    for why in contexts.unreadable:
        print(why, file=sys.stderr)
    for context in contexts.contexts:
        if context.broken:
            print(f"context {context.name} left out: it {context.broken}", file=sys.stderr)
    clusters, hosts = len(site.clusters), len(site.hosts)
    print(f"{file}: clusters {clusters}, hosts {hosts}.")
    print("Fill in what is commented, then: breakglass lint", file)
    return 0


def _contexts(kubeconfig: Path | None, only: list[str] | None) -> Contexts:
    """The contexts that are wanted. Raises SiteFileError for a file or context that was named and is not
    there."""
    if kubeconfig is not None:
        if not kubeconfig.expanduser().is_file():
            raise SiteFileError(f"--kubeconfig {kubeconfig}: there is no such file")
        files = [kubeconfig.expanduser().absolute()]
    else:
        listed = [each for each in os.environ.get("KUBECONFIG", "").split(os.pathsep) if each]
        named = [Path(each).expanduser() for each in listed or ["~/.kube/config"]]
        files = [each for each in named if each.exists()]
    found = contexts_in(files)
    if only is None:
        return found
    there = {context.name for context in found.contexts}
    for name in only:
        if name not in there:
            raise SiteFileError(
                f"--context {name}: there is {', '.join(sorted(there)) or 'no context at all'}"
            )
    return replace(found, contexts=tuple(each for each in found.contexts if each.name in only))


def _machines(ssh_config: Path | None, only: list[str] | None) -> tuple[SshConfigHost, ...]:
    """The hosts that are wanted, as `ssh` would reach them. Raises SiteFileError as `_contexts` does."""
    file = (ssh_config or Path("~/.ssh/config")).expanduser()
    if ssh_config is not None and not file.is_file():
        raise SiteFileError(f"--ssh-config {ssh_config}: there is no such file")
    aliases = aliases_in(file)
    for name in only or []:
        if name not in aliases:
            raise SiteFileError(f"--host {name}: there is {', '.join(aliases) or 'no Host at all'}")
    if not aliases:
        return ()
    from breakglass.transport.ssh.config_file import ClientConfigError, user_file
    from breakglass.transport.ssh.settings import settings_of

    machines: list[SshConfigHost] = []
    for alias in aliases if only is None else only:
        try:
            settings = settings_of(alias, None if file == user_file() else file)
        except ClientConfigError as error:
            machines.append(SshConfigHost(alias, str(error)))
            continue
        user, address, port, jump = (
            settings.first(keyword) for keyword in ("user", "hostname", "port", "proxyjump")
        )
        if user in SERVICES and only is None:
            continue
        words = f"{user}@{address}" if user else f"{address}"
        words += f":{port}" if port and port != "22" else ""
        words += f" through {jump}" if jump and jump != "none" else ""
        machines.append(SshConfigHost(alias, words))
    return tuple(machines)


def _needs() -> Mapping[str, Uses]:
    """What the runbooks that can be found use. Raises AmbiguousRunbookError where two have one name."""
    needs: dict[str, Uses] = {}
    for found in unique_runbooks():
        try:
            needs[found.name] = load_runbook(found.path).uses
        except InvalidFileError:
            continue  # `breakglass lint` says what is wrong with it
    return needs


def _asked(draft: Draft, arguments: Namespace) -> Draft:
    if not arguments.name:
        draft = replace(draft, name=input(f"Name of the site [{draft.name}]: ").strip() or draft.name)
    if not arguments.practice:
        answer = input("Do real users depend on it? [Y/n]: ").strip().lower()
        draft = replace(draft, production=not answer.startswith("n"))
    return draft


def _write(file: Path, text: str) -> None:
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
            opened.write(text)
    except FileExistsError as error:
        raise SiteFileError(f"{file} is there already and is not overwritten; give another name") from error
    except OSError as error:
        raise SiteFileError(f"{file} cannot be written: {error.strerror}; give another place") from error
