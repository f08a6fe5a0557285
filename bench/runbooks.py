"""A folder of 50 runbooks to measure with: the outpost's runbook, under 50 names."""

from pathlib import Path

HERE = Path(__file__).parent.parent
COUNT = 50


def make_runbooks(folder: Path, count: int = COUNT) -> Path:
    """Runbooks of ordinary size in a folder; no two have the same text, all the same expressions."""
    text = (HERE / "runbooks" / "outpost-shm-purge" / "runbook.yaml").read_text()
    for number in range(count):
        name = f"outpost-{number:03}"
        place = folder / name / "runbook.yaml"
        place.parent.mkdir(parents=True)
        place.write_text(text.replace("runbook: outpost-shm-purge", f"runbook: {name}", 1))
    return folder
