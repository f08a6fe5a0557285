"""Walk a runbook on a real site. Every change needs your confirmation; nothing answers for you.

examples:
  breakglass run outpost-shm-purge --site site.yaml --dry-run    nothing changes; the API server is asked
  breakglass run outpost-shm-purge --site site.yaml
  breakglass run ./runbook.yaml --site site.yaml --input namespace=authentik
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from breakglass.cli.walk_command import add_walk_arguments, given_inputs, walk_with
from breakglass.engine.autopilot import Script
from breakglass.engine.session import Request
from breakglass.runbook.library import find_runbook


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("runbook", help="a runbook's name or file")
    parser.add_argument("--site", type=Path, required=True, help="the site file")
    parser.add_argument("--dry-run", action="store_true", help="read, ask the API server, change nothing")
    parser.add_argument("--began", default="", metavar="TIME", help="when the alert fired, UTC, ISO 8601")
    add_walk_arguments(parser)


def run(arguments: Namespace) -> int:
    request = Request(
        mode="dry-run" if arguments.dry_run else "live",
        runbook=find_runbook(arguments.runbook).path,
        site=arguments.site,
        inputs=given_inputs(arguments),
        incident_began=arguments.began,
    )
    return walk_with(request, arguments, lambda _: Script(confirms=False), headless=False)
