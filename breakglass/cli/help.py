"""Read the documentation in the terminal, offline: the tutorial, how to do a thing, the reference, and why
things are as they are. With a section's name, only that part of the page.

examples:
  breakglass help                     what there is
  breakglass help tutorial            a first runbook with its scenario
  breakglass help runbook step        every key of a step
  breakglass help rehearse            one command
"""

import re
import sys
from argparse import ArgumentParser, Namespace
from dataclasses import dataclass
from pathlib import Path

from breakglass.cli.main import COMMANDS
from breakglass.errors import UserError
from breakglass.exit_codes import ExitCode
from breakglass.yamlio.shape import meant

SHIPPED = Path(__file__).parent.parent / "_shipped" / "docs"
BESIDE_THE_SOURCE = Path(__file__).parent.parent.parent / "docs"

GROUPS = {"": "Begin here, and read on", "how-to": "How to", "reference": "Reference"}
"""The folders of the pages, with what they are called."""

_HEADING = re.compile(r"^(#{1,6})\s+(.+?)\s*$")
_CELL = re.compile(r"(?<!\\)\|")
_COMMENT = re.compile(r"<!--.*?-->\n?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Topic:
    """One page. group: its folder, empty for the first one."""

    name: str
    group: str
    title: str
    path: Path


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("topic", nargs="*", metavar="TOPIC", help="a page or a command, and a section of it")


def run(arguments: Namespace) -> int:
    words: list[str] = arguments.topic
    known = topics()
    if not words:
        print(_contents(known))
        return ExitCode.DONE
    name, section = words[0], " ".join(words[1:])
    if name in known:
        _print(page_text(known[name], section))
    elif name in COMMANDS:
        _print(page_text(known["commands"], name))
    else:
        hint = meant(name, [*known, *COMMANDS])
        raise UserError(f"there is no page and no command {name!r}{hint}\n`breakglass help` lists all")
    return ExitCode.DONE


def topics() -> dict[str, Topic]:
    """Every page by its name, in the order in which they are listed."""
    folder = SHIPPED if SHIPPED.is_dir() else BESIDE_THE_SOURCE
    found: dict[str, Topic] = {}
    for group in GROUPS:
        for path in sorted((folder / group).glob("*.md"), key=_order):
            if path.stem != "index":
                title = next((line.lstrip("# ") for line in _lines(path) if line.startswith("# ")), path.stem)
                found[path.stem] = Topic(path.stem, group, title, path)
    return found


def page_text(topic: Topic, section: str = "") -> str:
    """A page as Markdown, or one section of it. Raises UserError where there is none of that name."""
    text = _COMMENT.sub("", topic.path.read_text("utf-8"))
    if not section:
        return text
    lines, headings = text.splitlines(), list[tuple[int, int, str]]()
    fenced = False
    for number, line in enumerate(lines):
        fenced ^= line.lstrip().startswith("```")
        if not fenced and (found := _HEADING.match(line)):
            headings.append((number, len(found[1]), found[2].strip("`")))
    wanted = section.lower()
    for number, level, title in headings:
        if title.lower() == wanted:
            after = (at for at, other, _ in headings if at > number and other <= level)
            return "\n".join(lines[number : next(after, len(lines))])
    hint = meant(section, [title for _, _, title in headings])
    raise UserError(f"the page {topic.name!r} has no section {section!r}{hint}")


def _order(path: Path) -> tuple[bool, str]:
    return path.stem != "tutorial", path.stem


def _lines(path: Path) -> list[str]:
    return path.read_text("utf-8").splitlines()


def _contents(known: dict[str, Topic]) -> str:
    width = max(map(len, known)) + 2
    lines = ["breakglass help TOPIC shows a page; breakglass help COMMAND shows a command."]
    for group, title in GROUPS.items():
        lines += ["", title]
        lines += [f"  {each.name:{width}}{each.title}" for each in known.values() if each.group == group]
    return "\n".join(lines)


def _print(text: str) -> None:
    """Markdown for a terminal; as it is for a pipe or a file."""
    if not sys.stdout.isatty():
        print(text)
        return
    from rich.console import Console
    from rich.markdown import Markdown

    Console().print(Markdown(for_a_terminal(text), hyperlinks=False))


def for_a_terminal(text: str) -> str:
    """Markdown whose tables are lists: a line a row holds more than narrow columns."""
    lines, in_table = list[str](), False
    for line in text.splitlines(keepends=True):
        cells = [each.replace("\\|", "|").strip() for each in _CELL.split(line.strip())[1:-1]]
        rule = all(set(each) <= set("-: ") for each in cells)
        if not line.startswith("|") or not cells:
            in_table = False
            lines.append(line)
        elif not in_table:
            in_table = True  # the head says nothing that the rows do not
        elif not rule:
            lines.append(f"- {' · '.join(filter(None, cells))}\n")
    return "".join(lines)
