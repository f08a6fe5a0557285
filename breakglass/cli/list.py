"""List the runbooks that can be found, with their scenarios.

examples:
  breakglass list
  breakglass list --json
"""

import json
from argparse import ArgumentParser, Namespace

from breakglass.runbook.library import all_runbooks
from breakglass.runbook.load import load_runbook
from breakglass.runbook.position import InvalidFileError


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="one JSON object a line")


def run(arguments: Namespace) -> int:
    broken = 0
    for found in all_runbooks():
        scenarios = [path.stem for path in found.scenarios]
        try:
            runbook = load_runbook(found.path)
        except InvalidFileError as error:
            broken = 2
            row = {"name": found.name, "path": str(found.path), "problems": [str(p) for p in error.problems]}
            words = f"{found.name:26} cannot be used; `breakglass lint {found.name}` says why"
        else:
            row = {
                "name": runbook.name,
                "title": runbook.title,
                "severity": runbook.severity,
                "owner": runbook.owner,
                "steps": len(runbook.steps),
                "scenarios": scenarios,
                "path": str(found.path),
            }
            words = f"{runbook.name:26} {runbook.severity:5} {runbook.title}"
        print(json.dumps(row) if arguments.json else words)
        if not arguments.json and scenarios:
            print(f"{'':26}       rehearse: {', '.join(scenarios)}")
    return broken
