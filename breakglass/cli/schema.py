"""Print a JSON Schema, for editors and other tools.

examples:
  breakglass schema > runbook.schema.json
  breakglass schema site
"""

import json
from argparse import ArgumentParser, Namespace


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("of", nargs="?", default="runbook", choices=["runbook", "site", "scenario"])


def run(arguments: Namespace) -> int:
    if arguments.of == "site":
        from breakglass.site.load import site_schema as schema
    elif arguments.of == "scenario":
        from breakglass.rehearsal.load import scenario_schema as schema
    else:
        from breakglass.runbook.load import runbook_schema as schema
    print(json.dumps(schema(), indent=2))
    return 0
