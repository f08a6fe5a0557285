"""Print the post-mortem draft of a session, or its timeline.

examples:
  breakglass report last
  breakglass report last --timeline
  breakglass report SESSION --output 2026-04-18-outpost.md
  breakglass report last --output outpost.html     one page, for a browser or a wiki
  breakglass report last --json
"""

import json
from argparse import ArgumentParser, Namespace
from pathlib import Path

from breakglass.errors import UserError
from breakglass.journal.folders import state_folder
from breakglass.journal.sessions import find_session
from breakglass.journal.state import fold
from breakglass.journal.store import FILE_NAME, read
from breakglass.report.past import page_of, report_of
from breakglass.report.timeline import timeline

PAGES = (".html", ".htm")


class ReportFileError(UserError):
    """The report cannot be written where it was asked for."""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("session", nargs="?", default="last", help="a session's name, or `last`")
    parser.add_argument("--timeline", action="store_true", help="only the timeline, with every detail")
    parser.add_argument("--output", type=Path, help="write to a file, which must not exist")
    parser.add_argument(
        "--format",
        choices=["markdown", "html"],
        help="markdown for GitHub, GitLab and Confluence, or an HTML page; else as --output is called",
    )
    parser.add_argument("--json", action="store_true", help="the timeline as JSON Lines")


def run(arguments: Namespace) -> int:
    folder = find_session(state_folder(), arguments.session)
    reading = read(folder.path / FILE_NAME)
    state = fold(reading.records)
    if arguments.json or arguments.timeline:
        for entry in timeline(state, least=0):
            row = {
                "time": entry.time.isoformat(),
                "elapsed": entry.elapsed,
                "step": entry.step,
                "text": entry.text,
            }
            stamp = entry.time.strftime("%H:%M:%S")
            print(json.dumps(row) if arguments.json else f"{stamp}  {entry.step:20} {entry.text}")
        return 0
    as_page = arguments.format == "html" or (
        arguments.format is None and arguments.output is not None and arguments.output.suffix in PAGES
    )
    text = (page_of if as_page else report_of)(state, reading.last_hash)
    if arguments.output is None:
        print(text)
        return 0
    try:
        with arguments.output.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise ReportFileError(
            f"{arguments.output} is there already and is not overwritten; give another name"
        ) from None
    except OSError as error:
        raise ReportFileError(
            f"{arguments.output} cannot be written: {error.strerror}; give another place"
        ) from None
    print(f"wrote {arguments.output}")
    return 0
