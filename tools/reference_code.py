"""Pages of `docs/reference/` that are made from the code: expressions, probes, commands, events, exit codes,
known programs, and the kubectl lines that are built in."""

import inspect
import json
import re
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import get_args

from breakglass import exit_codes
from breakglass.cli.main import COMMANDS, load
from breakglass.journal import events
from breakglass.policy.kubectl import change_lines, read_lines
from breakglass.policy.kubectl.flags import Flag
from breakglass.policy.kubectl.line import NAMESPACE
from breakglass.policy.tables import FOLDER as TABLES
from breakglass.probe import PROBES
from breakglass.rehearsal import patterns, story, world
from breakglass.runbook import functions
from breakglass.runbook.expression import Expression, evaluate
from breakglass.runbook.lint.names import MEMBERS, NOT_HERE
from breakglass.runbook.steps import CEL_WORDS
from breakglass.values import Json
from breakglass.yamlio.position import Position
from tools.man_page import actions_of, term_of, words_of

MADE = "Made by `make reference` from the code.\n"

TABLE = "NAME   READY\nweb-0  1/1\n"
EXAMPLES: Mapping[str, tuple[str, dict[str, Json]]] = {
    "lines": ("result.text.lines()", {"text": "one\n\ntwo\n"}),
    "columns": ("result.text.columns()[0].ready", {"text": TABLE}),
    "df": (
        "result.text.df()[0].use_percent",
        {"text": "Filesystem 1K-blocks Used Available Use% Mounted on\ntmpfs 65536 64000 1536 98% /shm\n"},
    ),
    "key_values": ("result.text.key_values()['Sealed']", {"text": "Sealed   true\nVersion  1.15\n"}),
    "json": ("result.text.json().ready", {"text": '{"ready": true}'}),
    "yaml": ("result.text.yaml().ready", {"text": "ready: true\n"}),
    "first": ("result.text.first('load average: ([0-9.]+)')", {"text": "up 1 day, load average: 0.31, 0.2"}),
    "all": ("result.text.all('[a-z]+-[0-9]')", {"text": "web-0 web-1"}),
    "lower": ("result.text.lower()", {"text": "Ready"}),
    "to_int": ("result.text.to_int() + 1", {"text": " 41\n"}),
    "age_seconds": ("'2020-01-01T00:00:00Z'.age_seconds() > 3600.0", {}),
    "merged": ("{'a': 1}.merged({'b': 2})", {}),
}
"""An expression for each function, and the result that it looks at."""

OF_CEL = (
    ("`x.trim()`, `x.split(s)`, `x.replace(a, b)`, `x.lowerAscii()`, `x.substring(i)`", "text"),
    ("`x.contains(s)`, `x.startsWith(s)`, `x.endsWith(s)`, `x.matches(re)`", "tests on text"),
    ("`l.join(s)`, `size(l)`, `v in l`", "lists"),
    ("`l.filter(v, …)`, `l.map(v, …)`, `l.exists(v, …)`, `l.all(v, …)`", "one element after the other"),
    ("`has(m.key)`, `'key' in m`, `m['key']`", "maps"),
    ("`math.greatest(a, b)`, `math.least(a, b)`, `int(x)`, `double(x)`, `string(x)`", "numbers"),
    ("`a ? b : c`, `&&`, `||`, `!`, `==`, `<`", "choices"),
)

NAMES = {
    "inputs": ("everywhere", "What the operator gave at the start, by name."),
    "site": ("everywhere", "The site: `name`, `production`, `variables`, and what it has by name."),
    "session": ("everywhere", "This session: `id`, `mode` (`live`, `dry-run`, `rehearsal`), `operator`."),
    "result": (NOT_HERE["result"], "What the step's action gave."),
    "results": (NOT_HERE["results"], "A list of results, one an element; each also has `item`."),
    "item": (NOT_HERE["item"], "The element that the action runs for."),
    "secrets": (NOT_HERE["secrets"], "The site's secrets by name. No screen and no record shows one."),
}

RESULT = {
    "exit": "Exit status of a command; null where there is none.",
    "status": "HTTP status; null where there is none.",
    "text": "What it printed, without control characters and secrets.",
    "stderr": "What it printed as errors.",
    "json": "The answer as data, where it is JSON; otherwise null.",
    "headers": "HTTP headers, in lower case.",
    "tls": "The certificate: `subject`, `issuer`, `names`, `not_before`, `not_after`, `days_left`; or null.",
    "seconds": "How long it took.",
    "fault": "What went wrong, one of `tolerate`'s words; empty where nothing did.",
    "message": "The fault in words.",
    "answer": "What the operator gave to `ask`.",
    "choice": "The way that was picked in `choose`.",
    "note": "What the operator wrote in a `manual` step.",
    "item": "In `results`: the element of `foreach`.",
}


def code_pages() -> dict[str, str]:
    """The text of each page, by its name."""
    return {
        "expressions": _expressions(),
        "probes": _probes(),
        "commands": _commands(),
        "events": _events(),
        "exit-codes": _exit_codes(),
        "known-reads": _known_reads(),
        "kubectl": _kubectl(),
        "scenario-rules": _scenario_rules(),
    }


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    lines += [f"| {' | '.join(each.replace('|', chr(92) + '|') for each in row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def _doc(thing: object) -> str:
    return " ".join((inspect.getdoc(thing) or "").split("\n\n")[0].split())


def _expressions() -> str:
    return "\n".join(
        [
            "# Expressions\n",
            "Every condition and every `${{ … }}` is written in [CEL](https://cel.dev), the language of"
            " Kubernetes admission policies. `breakglass lint` checks its types and names. It cannot loop,"
            " and it reaches nothing but what is named here.\n",
            MADE,
            "## Names in scope\n",
            _table(("name", "where", "what it is"), ((f"`{n}`", w, d) for n, (w, d) in NAMES.items())),
            "A captured value is seen by its name from its step on.\n",
            "## Result\n",
            _table(
                ("member", "what it is"),
                ((f"`result.{name}`", RESULT[name]) for name in sorted(MEMBERS["result"])),
            ),
            "## Functions\n",
            "Beside CEL's own, for what programs print:\n",
            _table(("function", "what it gives", "example", "gives"), _function_rows()),
            "## Of CEL\n",
            _table(("write", "for"), iter(OF_CEL)),
            f"These words cannot name a value: {', '.join(f'`{word}`' for word in sorted(CEL_WORDS))}.\n",
        ]
    )


def declared_functions() -> list[str]:
    """The names of the functions, which CEL's declarations do not give back."""
    return re.findall(r'(?:member|FunctionDecl)\(\s*"(\w+)"', inspect.getsource(functions.declarations))


def _function_rows() -> Iterator[tuple[str, ...]]:
    written = {"json": functions.from_json, "yaml": functions.from_yaml, "all": functions.every}
    for name in declared_functions():
        source, result = EXAMPLES[name]
        function = written.get(name) or getattr(functions, name, None)
        doc = _doc(function) if function is not None else "The text in lower case."
        scope: dict[str, Json] = {"result": result}
        value = evaluate(Expression(source, Position(Path("example"), 1, 1)), scope)
        given = json.dumps(value, ensure_ascii=False, sort_keys=True)
        yield f"`{name}`", doc, f"`{source}`", f"`{given}`"


def _probes() -> str:
    text = f"# Probes\n\nDiagnostics that are too large for one command. They only read.\n\n{MADE}"
    for name, probe in PROBES.items():
        rows = (
            (
                f"`{key}`",
                each.kind,
                "required"
                if each.required
                else f"`{json.dumps(each.default)}`"
                if each.default is not None
                else "",
                each.help,
            )
            for key, each in probe.arguments.items()
        )
        example = f"probe: {{run: {name}, with: {{endpoint: registry}}}}"
        text += f"\n## {name}\n\n{probe.summary}\n\n```yaml\n{example}\n```\n\n"
        text += _table(("argument", "type", "default", "what it is"), rows)
    return text


def _commands() -> str:
    text = f"# Commands\n\n`breakglass COMMAND --help` says the same.\n\n{MADE}"
    for name in COMMANDS:
        parser = ArgumentParser(prog=f"breakglass {name}")
        load(name, parser)
        about, _, examples = (parser.description or "").partition("\nexamples:\n")
        text += f"\n## {name}\n\n{' '.join(about.split())}\n\n"
        known = actions_of(parser)
        if known:
            text += _table(
                ("argument", "what it is"), ((f"`{term_of(each)}`", words_of(each)) for each in known)
            )
        if examples.strip():
            lines = "\n".join(line.strip() for line in examples.strip().splitlines())
            text += f"\n```console\n{lines}\n```\n"
    return text


def _events() -> str:
    text = (
        "# Events\n\nA session is the list of its events: one a line in `journal.jsonl`, and one a line with"
        " `--json`. Each record has `seq`, `time` (UTC), `type`, `data`, and the hashes that chain it.\n\n"
        + MADE
    )
    for event in get_args(events.Event):
        doc = event.__doc__ or ""
        about = "" if doc.startswith(f"{event.__name__}(") else " ".join(doc.split())
        text += f"\n## {event.type}\n\n{about}\n\n" if about else f"\n## {event.type}\n\n"
        notes, types = _field_docs(event), _field_types(event)
        rows = (
            (
                f"`{each.name}`",
                f"`{types[each.name]}`",
                "" if each.default is MISSING and each.default_factory is MISSING else "not always",
                notes.get(each.name, ""),
            )
            for each in fields(event)
        )
        text += _table(("field", "type", "", "what it is"), rows)
    return text


def _field_types(event: type) -> dict[str, str]:
    """The types of an event's fields, as they are written."""
    found = re.findall(r"^    (\w+): ([^=\n]+?)(?: = .*)?$", inspect.getsource(event), re.MULTILINE)
    return {
        name: words.strip().lower() if words.strip() == "Name" else words.strip() for name, words in found
    }


def _field_docs(event: type) -> dict[str, str]:
    """The texts that stand below fields."""
    found = re.findall(
        r"^    (\w+): [^\n]+\n    \"\"\"(.*?)\"\"\"", inspect.getsource(event), re.MULTILINE | re.DOTALL
    )
    return {name: " ".join(text.split()) for name, text in found}


def _exit_codes() -> str:
    table = (exit_codes.__doc__ or "").partition("\n\n")[2].strip()
    return f"# Exit codes\n\nOf every command, for scripts and CI.\n\n{MADE}\n{table}\n"


def _scenario_rules() -> str:
    """From the modules that hold rules, patterns and names: their own words."""
    heard = (story.__doc__ or "").partition("\n\n")[2].strip()
    seen = (world.__doc__ or "").partition("\n\n")[2].strip()
    written = (patterns.__doc__ or "").partition("\n\n")[2].strip()
    return (
        "# Rules and expressions of a scenario\n\nWhat a rule or a trap hears under `on`, how a pattern is"
        " written there and under `match` and `path`, and what expressions see.\n\n"
        f"{MADE}\n## What is heard\n\n{heard}\n\n"
        f"## Patterns\n\n{written}\n\n## Names in scope\n\n{seen}\n"
    )


def _known_reads() -> str:
    text = (
        "# Known programs\n\nA command runs unasked only where every word of it is known to read. These"
        " programs have a table that says which of their words read, and which change something. Any other"
        " program, and any word that a table does not have, counts as a change. `breakglass risk 'COMMAND'`"
        " says what a command counts as, and which word decides; a site can name more under `reads:`.\n\n"
        + MADE
        + "\n"
    )
    rows = ((path.stem, _programs_of(path)) for path in sorted(TABLES.glob("[a-z]*.yaml")))
    return text + _table(("table", "programs"), rows)


def _programs_of(path: Path) -> str:
    lines = re.findall(r"^([\w\"'][^:#\n]*):", path.read_text("utf-8"), re.MULTILINE)
    names = [name.strip("\"'") for line in lines for name in line.split()]
    return ", ".join(f"`{name}`" for name in sorted(names))


def _kubectl() -> str:
    text = (
        "# kubectl lines that are built in\n\nA `kubectl:` step needs no kubectl program for these. For"
        " anything else, say `driver: binary` and have the program. Where the cluster is, the site says:"
        " `--context` and the like are refused.\n\n" + MADE
    )
    for title, verbs in (("Reads", read_lines.VERBS), ("Changes", change_lines.VERBS)):
        rows = (
            (f"`{verb}`", ", ".join(map(_flag, (NAMESPACE, *flags)))) for verb, (flags, _) in verbs.items()
        )
        text += f"\n## {title}\n\n" + _table(("line", "flags"), rows)
    return text


def _flag(flag: Flag) -> str:
    short = f"-{flag.short}, " if flag.short else ""
    return f"`{short}--{flag.name}{'' if flag.takes == 'nothing' else '='}`"
