"""A report as one HTML page: needs no other file, has no script, and can be printed."""

from collections.abc import Iterable
from html import escape

from breakglass.report.document import (
    Block,
    Code,
    Fold,
    Heading,
    Line,
    Paragraph,
    Points,
    Prompt,
    Span,
    Table,
)

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""A browser that reads the page loads nothing and runs nothing, whatever stands in it."""

_STYLE = """\
:root { color-scheme: light dark; --line: #8886; --soft: #8882; --ask: #7a4e00; --ask-on: #f2c14e33; }
@media (prefers-color-scheme: dark) { :root { --ask: #f2c14e; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; line-height: 1.25; } h2 { font-size: 1.2rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; margin: 0.5rem 0; }
th, td { text-align: left; vertical-align: top; padding: 0.3rem 0.6rem; }
th, td { border-bottom: 1px solid var(--line); }
th { font-size: 0.85rem; } td:first-child { white-space: nowrap; }
td { font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
code { font: 0.85em ui-monospace, monospace; background: var(--soft); padding: 0.1em 0.3em; }
code { border-radius: 3px; overflow-wrap: anywhere; white-space: pre-wrap; }
mark { color: var(--ask); background: var(--ask-on); padding: 0 0.3em; border-radius: 3px; }
details { margin: 0.5rem 0; } summary { cursor: pointer; font-weight: 600; }
details td { font-size: 0.85rem; }
"""


def page(title: str, blocks: Iterable[Block]) -> str:
    """The whole page. `title` is what the browser's tab says."""
    body = "\n".join(map(_block, blocks))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{_STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _block(block: Block) -> str:
    match block:
        case Heading():
            return f"<h{block.level}>{escape(block.text)}</h{block.level}>"
        case Paragraph():
            return f"<p>{_line(block.line)}</p>"
        case Points():
            kind = "ol" if block.numbered else "ul"
            lines = "\n".join(f"<li>{_line(line)}</li>" for line in block.lines)
            return f"<{kind}>\n{lines}\n</{kind}>"
        case Table():
            head = "".join(f"<th>{escape(each)}</th>" for each in block.head)
            rows = "\n".join(
                f"<tr>{''.join(f'<td>{_line(cell)}</td>' for cell in row)}</tr>" for row in block.rows
            )
            return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table>"
        case Fold():
            inner = "\n".join(map(_block, block.blocks))
            return f"<details>\n<summary>{escape(block.title)}</summary>\n{inner}\n</details>"


def _line(line: Line) -> str:
    return "".join(map(_span, line))


def _span(span: Span) -> str:
    match span:
        case Code():
            return f"<code>{escape(span.text)}</code>"
        case Prompt():
            return f"<mark>{escape(span.words)}</mark>"
        case str():
            return escape(span)
