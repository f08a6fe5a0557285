"""A command of a page as ways to write it in a step, best first.

Nothing is judged here: `checked.py` reads each way with the program's own reader, and takes the first that is
valid and does at least what the page's line is known for.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import cast

from breakglass.importer.as_yaml import Words
from breakglass.importer.curl_line import curl_line
from breakglass.importer.filters import expression_of
from breakglass.importer.heredoc import Heredoc, applied_objects, heredoc_of
from breakglass.importer.kubectl_line import kubectl_line, rsh_as_exec
from breakglass.importer.place import HERE, ShellPlace, entered, in_pod, ssh_line, there
from breakglass.importer.shell_lines import commands_of, joined, substitution
from breakglass.importer.units import Keys, Noted, Unit, Went
from breakglass.importer.values import NotATemplateError, Values, escaped, identifier
from breakglass.importer.written import words_of

_SET = re.compile(
    r"(?:export\s+|declare\s+|local\s+)?([A-Za-z_]\w*)=((?:\"[^\"]*\"|'[^']*'|\$\(.*\)|`[^`]*`|<[^>]*>|[^\s;'\"`$<]|\$\w+|\$\{\w+\})*)\s*"
)
_ENV = re.compile(r"^(?:[A-Za-z_]\w*=(?:\"[^\"]*\"|'[^']*'|[^\s'\"]*)\s+)+(?=(?:kubectl|oc|k|curl|ssh)\s)")
_AROUND = re.compile(
    r"^(?:sudo\s+(?=kubectl|oc\s)|time\s+|watch\s+(?:-n\s*\d+\s+|-d\s+|--\S+\s+)*|k3s\s+(?=kubectl))"
)
_SILENCED = re.compile(r"\s*(?:2>&1|2>\s*/dev/null|>\s*/dev/null|&>\s*/dev/null)\s*$")
_OWN = re.compile(r"(?:^|[;\s(])(?:for\s+|read\s+(?:-r\s+)?)?([A-Za-z_]\w*)(?==|\s+in\s|\s*$|\s*;)")
_FOLLOWS = re.compile(r"(?<=\s)(?:-f|-F|--follow)(?=\s|$)")
_FORMS = re.compile(r"^(/usr)?/(?:local/)?s?bin/")
_FOR_A_SHELL = re.compile(r"[|&;<>*?$`(){}~#\n\\!\[\]]")
_SUDO = re.compile(r"^sudo\s+(?:-n\s+)?(?=[^-\s])")
_PROGRAM = re.compile(r"(?:kubectl|oc|ssh|curl|k)\s")


def converted(text: str, place: ShellPlace, values: Values) -> Iterator[Unit | Went | Noted]:
    """What the page's command comes to, in the order in which it runs."""
    if going := entered(text, place):
        yield Went(going)
        return
    heredoc = heredoc_of(text)
    if heredoc is not None:
        yield from _with_heredoc(text, heredoc, place, values)
        return
    pipelines = commands_of(text)
    apart = any(_begins_elsewhere(each[0]) or _SET.fullmatch(each[0]) for each in pipelines)
    if not apart or (len(pipelines) == 1 and len(pipelines[0]) == 1 and "\n" in joined(text)):
        pipelines = [[joined(text)]]
        yield from _pipeline(pipelines[0], place, values)
        return
    for pipeline in pipelines:
        for each in _pipeline(pipeline, place, values):
            place = each.place if isinstance(each, Went) else place
            yield each


def _begins_elsewhere(command: str) -> bool:
    return _PROGRAM.match(_AROUND.sub("", _ENV.sub("", command)) + " ") is not None


def _pipeline(commands: list[str], place: ShellPlace, values: Values) -> Iterator[Unit | Went | Noted]:
    whole = " | ".join(commands)
    first = _watched(_ENV.sub("", commands[0]))
    first = _SILENCED.sub("", _SILENCED.sub("", first))
    filters = [_SILENCED.sub("", each) for each in commands[1:]]
    if going := entered(whole, place):
        yield Went(going)
    elif len(commands) == 1 and (pairs := _assignments(first)):
        yield from _assigned(whole, pairs, place, values)
    elif re.match(r"(?:kubectl|oc|k)\s", first):  # no pod has it: whoever writes this is out of the pod again
        yield from _kubectl(whole, first, filters, values)
    elif first.startswith("ssh "):
        yield from _ssh(whole, first, filters, values)
    elif first.startswith("curl ") and place == HERE:
        yield from _curl(whole, first, filters, values)
    else:
        yield _run(whole, place, values)


def _assignments(text: str) -> list[tuple[str, str]]:
    pairs, index = list[tuple[str, str]](), 0
    while index < len(text):
        found = _SET.match(text, index)
        if found is None or found.end() == index:
            return []
        pairs.append((found[1], found[2]))
        index = found.end()
    return pairs


def _assigned(
    whole: str, pairs: list[tuple[str, str]], place: ShellPlace, values: Values
) -> Iterator[Unit | Went | Noted]:
    for name, value in pairs:
        plain = value.strip('"')
        inner = substitution(plain)
        if inner is None and plain.startswith("`") and plain.endswith("`") and len(plain) > 2:
            inner = ("", plain.strip("`"), "")
        if inner is None or inner[0] or inner[2]:
            values.assign(name, value)
            continue
        yield from _captured(inner[1], name, place, values)
    yield Noted(whole)


def _captured(command: str, name: str, place: ShellPlace, values: Values) -> Iterator[Unit | Went | Noted]:
    """The steps of a substitution; the last one's output is the value of a shell variable."""
    found = [each for each in converted(command, place, values) if isinstance(each, Unit)]
    yield from found[:-1]
    if not found:
        values.assign(name, f"$({command})")
        return
    last = found[-1]
    captured = values.capture(name, name)
    yield replace(last, ways=tuple(_as_value(keys, captured) for keys in last.ways), captured=captured)


def _as_value(keys: Keys, name: str) -> Keys:
    """A step that keeps what it gives under a name."""
    captures = cast("dict[str, str]", keys.get("capture", {}))
    expression = next(iter(captures.values()), "result.text.trim()")
    if re.search(r"\.(?:filter|map)\([^()]*(?:\([^()]*\)[^()]*)*\)$", expression):
        expression += "[0]"
    return {**keys, "capture": {name: expression}}


def _taken_out(text: str, values: Values) -> tuple[list[Unit], str] | None:
    """The steps of the `$( )` in a line, and the line with their values. None where one has no step."""
    units = list[Unit]()
    while found := substitution(text):
        before, command, behind = found
        name = re.sub(r"\W+", "_", " ".join(command.split()[2:4])) or "found"
        steps = list(_captured(command, f"found {name}", HERE, values))
        variable = f"found {name}"
        if any(isinstance(each, Went) for each in steps) or not steps:
            return None
        value = values.variables.get(variable, "")
        if not value or value.startswith("inputs."):
            return None
        units += [each for each in steps if isinstance(each, Unit)]
        stand_in = f"__captured_{len(values.variables)}"
        values.variables[stand_in] = value
        text = f"{before}${{{stand_in}}}{behind}"
    return units, text


def _kubectl(whole: str, first: str, filters: list[str], values: Values) -> Iterator[Unit | Went | Noted]:
    taken = _taken_out(first, values)
    if taken is None or re.search(r"[<>`](?!\w[^>]*>)", re.sub(r"'[^']*'|\"[^\"]*\"|<[^<>\n]+>", "", first)):
        yield _local(whole, values)
        return
    units, first = taken
    try:
        template = rsh_as_exec(values.template(first))
    except NotATemplateError:
        yield Unit(whole)
        return
    line = kubectl_line(template)
    if line is None:
        yield _local(whole, values)
        return
    yield from units
    if line.place is not None:
        yield Went(line.place)
        return
    if not line.actions:
        yield (
            _local(whole, values)
            if re.search(r"\s--\s|extract|whoami|adm\s", first)
            else Unit(whole, runs=template)
        )
        return
    redact: Keys = {"redact": True} if line.secret else {}
    ways: list[Keys] = [{"kubectl": action, **redact} for action in line.actions]
    if line.expression:
        if not filters:
            name = values.capture(line.expression.rpartition(".")[2])
            yield Unit(
                whole, HERE, template, tuple({**keys, "capture": {name: line.expression}} for keys in ways)
            )
            return
        ways = [{**keys, "hint": f"TODO: the page takes {line.expression}"} for keys in ways]
    runs = " | ".join([template, *filters])
    yield Unit(whole, HERE, runs, tuple(_filtered(ways, filters, line.json, values)))


def _filtered(ways: list[Keys], filters: list[str], json: bool, values: Values) -> Iterator[Keys]:
    """The ways, each with what is piped behind it as a capture, or as words for a person."""
    if not filters:
        yield from ways
        return
    name = ""
    try:
        expression = expression_of([_plain(each, values) for each in filters], json=json)
    except NotATemplateError:
        expression = None
    if expression is not None:
        name = values.capture(_captured_name(filters))
        for keys in ways:
            yield {**keys, "capture": {name: expression}}
    rest = " | ".join(filters)
    words = {} if _only_shown(filters) else {"hint": f"TODO: capture what the page looks for: | {rest}"}
    for keys in ways:
        yield {**keys, **words}


def _plain(text: str, values: Values) -> str:
    """A filter's text, which no template can be put into."""
    if "${{" in values.template(text) and re.search(r"<[A-Za-z]", text):
        raise NotATemplateError(text)
    return text


def _only_shown(filters: list[str]) -> bool:
    return all(re.match(r"(?:less|more|cat|sort|column|uniq|head|tail)\b", each) for each in filters)


def _captured_name(filters: list[str]) -> str:
    words = re.findall(r"[A-Za-z][A-Za-z0-9_]+", " ".join(filters))
    named = [
        each
        for each in words
        if each.lower() not in ("grep", "egrep", "awk", "jq", "print", "items", "metadata")
    ]
    left = "not_" if any(re.search(r"\s-\w*v", each) for each in filters) else ""
    return identifier(left + "_".join(named[-2:]) if named else "found")


def _ssh(whole: str, first: str, filters: list[str], values: Values) -> Iterator[Unit | Went | Noted]:
    taken = _taken_out(first, values) if "$(" in re.sub(r"'[^']*'", "", first) else (list[Unit](), first)
    try:
        template = values.template(taken[1] if taken else first)
    except NotATemplateError:
        yield Unit(whole)
        return
    line = ssh_line(template) if taken else None
    if line is None or line.elsewhere:
        yield Unit(whole)
        return
    yield from taken[0] if taken else []
    place = ShellPlace("host", line.host, line.sudo)
    if not line.text:
        yield Went(place)
        return
    text = " | ".join([line.text, *(values.template(each, remote=True) for each in filters)])
    yield Unit(whole, place, text, tuple(_on_host(text, place)))


def _curl(whole: str, first: str, filters: list[str], values: Values) -> Iterator[Unit | Went | Noted]:
    try:
        template = values.template(first)
    except NotATemplateError:
        yield Unit(whole)
        return
    keys = (
        None
        if "$(" in template or re.search(r"[<>]", re.sub(r"'[^']*'|\"[^\"]*\"", "", template))
        else curl_line(template)
    )
    if keys is None:
        yield _local(whole, values)
        return
    yield Unit(whole, HERE, "", tuple(_filtered([keys], filters, True, values)))


def _run(whole: str, place: ShellPlace, values: Values) -> Unit:
    """A line that runs in a shell, wherever that is."""
    if place.kind == "here":
        return _local(whole, values)
    try:
        text = values.template(_watched(whole), remote=True, own=_own(whole))
    except NotATemplateError:
        return Unit(whole, place)
    if place.kind == "pod":
        return Unit(
            whole,
            place,
            text,
            ({"kubectl": in_pod(text, place)}, {"kubectl": {"run": in_pod(text, place), "driver": "binary"}}),
        )
    if place.kind == "debug":
        return Unit(
            whole,
            place,
            text,
            tuple(_as_local(f"{place.name}{'' if '--' in place.name else ' -- chroot /host'} {text}")),
        )
    if re.match(r"(?:sudo\s+)?(?:journalctl|tail)\b", text) and _FOLLOWS.search(text):
        text = _FOLLOWS.sub("-n 200" if "journalctl" in text else "", text).rstrip()
    return Unit(whole, place, text, tuple(_on_host(there(text, place), place)))


def _own(text: str) -> frozenset[str]:
    """Variables that a text sets itself."""
    return frozenset(each[1] for each in _OWN.finditer(text))


def _on_host(text: str, place: ShellPlace) -> Iterator[Keys]:
    one = len(commands_of(text)) == 1 and len(commands_of(text)[0]) == 1 and "\n" not in text
    if one and _SUDO.match(text) and not place.sudo and "sudo" not in text[4:]:
        yield {"ssh": {"host": place.name, "run": _SUDO.sub("", text), "sudo": True}}
    yield {"ssh": {"host": place.name, "run": text, **({"sudo": True} if place.sudo else {})}}


def _local(whole: str, values: Values) -> Unit:
    try:
        text = values.template(_watched(whole), remote=True, own=_own(whole))
    except NotATemplateError:
        return Unit(whole)
    return Unit(whole, HERE, text, tuple(_as_local(text)))


def _watched(text: str) -> str:
    """The command that is run again and again, or timed."""
    inner = _AROUND.sub("", text)
    quoted = re.fullmatch(r"'([^']*)'|\"([^\"]*)\"", inner) if inner != text else None
    return (quoted[1] or quoted[2] or inner) if quoted else inner


def _as_local(text: str) -> Iterator[Keys]:
    words = words_of(text)
    if words is not None and not _FOR_A_SHELL.search(re.sub(r"\$\{\{.*?\}\}|'[^']*'", "", text)):
        yield {"local": Words([_FORMS.sub("", words[0]), *words[1:]])}
    yield {"local": _FORMS.sub("", text)}


def _with_heredoc(
    text: str, here: Heredoc, place: ShellPlace, values: Values
) -> Iterator[Unit | Went | Noted]:
    """A command that is given lines to read: the lines of a host's shell, objects for kubectl, or a file."""
    if here.head.startswith("ssh "):
        yield from _lines_on_host(
            text, re.sub(r"\s+(?:bash|sh)(?:\s+-s)?$", "", here.head), here.body, values
        )
        return
    try:
        applied = None if place.kind == "pod" else applied_objects(here)
        if applied is not None:
            flags, manifest = values.template(applied[0]), applied[1]
            run = f"apply --server-side -f - {flags}".strip()
            yield Unit(text, HERE, "kubectl apply -f -", ({"kubectl": {"run": run, "manifest": manifest}},))
            return
        if here.literal and place.kind == "host":
            body = escaped(here.body) if here.quoted else values.template(here.body)
            head = values.template(here.head, remote=True)
            yield Unit(text, place, head, ({"ssh": {"host": place.name, "run": head, "stdin": body}},))
            return
    except NotATemplateError:
        pass
    yield Unit(text, place)


def _lines_on_host(text: str, head: str, body: str, values: Values) -> Iterator[Unit | Went | Noted]:
    gone = list(_ssh(text, head, [], values))
    if len(gone) == 1 and isinstance(gone[0], Went):
        place = gone[0].place
        unit = _run("\n".join(line.strip() for line in body.splitlines() if line.strip()), place, values)
        yield replace(unit, text=text)
        return
    yield Unit(text)
