"""Turn pages of Markdown into drafts of runbooks: headings become phases, commands become steps, the rest is
kept as words. What only a person knows stands in the draft as a TODO; `breakglass lint` counts them.

examples:
  breakglass import nfs-down.md                   writes nfs-down/runbook.yaml here
  breakglass import docs/*.md --into runbooks     a folder of pages, a folder of runbooks
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from breakglass.errors import UserError
from breakglass.exit_codes import ExitCode
from breakglass.importer.draft import PageDraft, draft_of
from breakglass.transport.sanitize import visible_line
from breakglass.yamlio.text_file import read_text


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("page", nargs="+", type=Path, help="files of Markdown")
    parser.add_argument(
        "--into",
        type=Path,
        default=Path(),
        metavar="DIR",
        help="where the runbooks' folders go; here by default",
    )


def run(arguments: Namespace) -> int:
    pages: list[Path] = arguments.page
    drafts = [(page, draft_of(read_text(page), page.stem)) for page in pages]
    targets = _targets(drafts, arguments.into)
    for (page, draft), target in zip(drafts, targets, strict=True):
        _write(target, draft.text)
        print(visible_line(f"{page} → {target}"))
        print(f"  {_said(draft)}")
    print(f"Next: breakglass lint {' '.join(map(str, targets[:3]))}{' …' if len(targets) > 3 else ''}")
    return ExitCode.DONE


def _targets(drafts: list[tuple[Path, PageDraft]], into: Path) -> list[Path]:
    """Where each draft goes. Raises UserError before anything is written, where one would replace a file."""
    targets: list[Path] = []
    for page, draft in drafts:
        target = into / draft.name / "runbook.yaml"
        if target in targets:
            raise UserError(
                f"{page}: another page here is called {draft.name} too. Import it into another --into"
            )
        if target.exists():
            raise UserError(
                f"{target} is there already. Move it away, or import into another folder with --into"
            )
        targets.append(target)
    return targets


def _write(target: Path, text: str) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise UserError(f"{target} cannot be written: {error.strerror}") from error


def _said(draft: PageDraft) -> str:
    """What came of a page, on one line."""
    commands = "1 command" if draft.commands == 1 else f"{draft.commands} commands"
    parts = [
        f"{commands}: {draft.as_steps} run as steps, {draft.by_hand} by hand",
        f"{draft.steps} steps",
        f"{draft.todos} TODO",
    ]
    needs = ", ".join(f"{kind} {' '.join(names)}" for kind, names in draft.uses.items())
    return visible_line("; ".join(parts) + (f"; your site must name {needs}" if needs else ""))
