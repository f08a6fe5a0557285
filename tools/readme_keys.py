"""Writes the table of keys into the README, from the one table of actions. `python -m tools.readme_keys`."""

from pathlib import Path

from breakglass.tui.keys import actions_of

README = Path(__file__).parent.parent / "README.md"
BEGIN, END = "<!-- keys of the walk, from breakglass/tui/keys.py -->\n", "<!-- end of keys -->"


def table() -> str:
    """The keys of the walk as a Markdown table."""
    rows = [
        f"| {' '.join(f'`{key}`' for key in each.all_keys.split())} | {each.help} |"
        for each in actions_of("walk")
        if each.keys
    ]
    return "\n".join(["| key | what it does |", "|---|---|", *rows, ""])


def with_keys(text: str) -> str:
    """The README with the table as it is now."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{table()}{END}{after}"


if __name__ == "__main__":
    README.write_text(with_keys(README.read_text()))
