"""Draws into `docs/architecture.md` which package imports which. `python -m tools.import_graph`."""

from pathlib import Path

import grimp

DOCUMENT = Path(__file__).parent.parent / "docs" / "architecture.md"
BEGIN, END = "<!-- imports, drawn by `python -m tools.import_graph` -->\n", "<!-- end of imports -->"
ROOT = "breakglass"


def arrows() -> list[tuple[str, str]]:
    """Each pair of packages of which the first imports the second, sorted. Arrows that another way round
    already says are left out: `cli` reaches `site` through `engine`, so only `cli` to `engine` is drawn."""
    graph = grimp.build_graph(ROOT)
    packages = sorted(graph.find_children(ROOT))
    for package in packages:
        graph.squash_module(package)
    direct = {
        each: (graph.find_modules_directly_imported_by(each) & set(packages)) - {each} for each in packages
    }
    reached = {each: graph.find_upstream_modules(each) for each in packages}
    return [
        (_short(source), _short(target))
        for source in packages
        for target in sorted(direct[source])
        if not any(target in reached[between] for between in direct[source] - {target})
    ]


def _short(package: str) -> str:
    return package.removeprefix(f"{ROOT}.")


def drawing() -> str:
    """The graph in Mermaid's form, which GitHub and GitLab draw."""
    lines = [f"  {source} --> {target}" for source, target in arrows()]
    return "\n".join(["```mermaid", "graph TD", *lines, "```", ""])


def with_drawing(text: str) -> str:
    """The document with the graph as it is now."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{drawing()}{END}{after}"


if __name__ == "__main__":
    DOCUMENT.write_text(with_drawing(DOCUMENT.read_text()))
