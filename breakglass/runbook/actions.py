"""The shapes of expressions, templates and actions, as they are written in a runbook."""

from typing import Literal

from breakglass.runbook.model import (
    Action,
    AskAction,
    ChooseAction,
    ChooseOption,
    HttpAction,
    InputType,
    KubectlAction,
    ManualAction,
    ProbeAction,
    SshAction,
    Template,
    TemplateTree,
)
from breakglass.runbook.written import (
    COMMAND_LINE,
    EXPRESSION,
    MAYBE_EMPTY_TEMPLATE,
    PATTERN,
    STEP_ID,
    TEMPLATE,
    TREE,
)
from breakglass.yamlio.position import Problem
from breakglass.yamlio.shape import (
    BOOLEAN,
    SITE_NAME,
    UNREADABLE,
    Entry,
    Field,
    Fields,
    Shape,
    Unreadable,
    by_kind,
    choice,
    converted,
    entries_of,
    list_of,
    mapping_of,
    optional,
    record,
    required,
)
from breakglass.yamlio.source import MappingNode, Node

_RUN = required("run", COMMAND_LINE, help="The command line, without the word kubectl.")
_CLUSTER = optional("cluster", SITE_NAME, help="A cluster of the site, where the runbook uses several.")
_DRIVER = optional(
    "driver",
    choice({"native": "native", "binary": "binary"}),
    default="native",
    help="`binary` runs the kubectl program, for what the built-in driver cannot do.",
)
_STDIN = optional("stdin", MAYBE_EMPTY_TEMPLATE, help="What the command reads from standard input.")


def _kubectl(given: Fields) -> KubectlAction:
    driver: Literal["native", "binary"] = "binary" if given[_DRIVER] == "binary" else "native"
    return KubectlAction(given[_RUN], given.position, given[_CLUSTER], driver, given[_STDIN])


KUBECTL_ACTION: Shape[KubectlAction] = by_kind(
    "a kubectl command line, or a mapping with `run`",
    scalar=converted(COMMAND_LINE, lambda words, node, problems: KubectlAction(words, node.position)),
    mapping=record("kubectl action", (_RUN, _CLUSTER, _DRIVER, _STDIN), _kubectl),
)

_HOST = required("host", TEMPLATE, help="A host of the site.")
_SSH_RUN: Field[tuple[tuple[Template, ...], bool]] = required(
    "run",
    by_kind(
        "a list of words, or one string for `sh`",
        scalar=converted(TEMPLATE, lambda line, node, problems: ((line,), True)),
        sequence=converted(
            list_of(TEMPLATE, "a list of words", minimum=1), lambda words, node, problems: (words, False)
        ),
    ),
    help="A list is exact arguments; a string is for `sh`, and every value in it is a parameter.",
)
_SUDO = optional("sudo", BOOLEAN, default=False, help="Run through `sudo -n`, which never asks.")


def _ssh(given: Fields) -> SshAction:
    words, shell = given[_SSH_RUN]
    return SshAction(given[_HOST], words, shell, given.position, given[_SUDO], given[_STDIN])


SSH_ACTION = record("ssh action", (_HOST, _SSH_RUN, _SUDO, _STDIN), _ssh)

_METHODS = tuple(
    optional(method, SITE_NAME, help=f"{method.upper()} from this endpoint of the site.")
    for method in ("get", "head", "options", "post", "put", "patch", "delete")
)
_PATH = optional(
    "path",
    TEMPLATE,
    help="Added to the endpoint's URL. Each value is one segment; one expression alone is a whole path.",
)
_QUERY = optional("query", mapping_of(MAYBE_EMPTY_TEMPLATE), default=dict[str, Template]())
_HEADERS = optional("headers", mapping_of(MAYBE_EMPTY_TEMPLATE), default=dict[str, Template]())
_BODY = optional(
    "body", MAYBE_EMPTY_TEMPLATE, help="The request's body as text: JSON or a form, or one expression."
)
_JSON = optional("json", TREE, help="The request's body as JSON.")
_FOLLOW = optional("follow", BOOLEAN, default=False, help="Follow redirects; never unless asked.")
_ANONYMOUS = optional("anonymous", BOOLEAN, default=False, help="Send none of the endpoint's credentials.")


def _http(given: Fields) -> HttpAction:
    method = next(field for field in _METHODS if given[field] is not None)
    if given.has(_BODY) and given.has(_JSON):
        given.problem(given.position_of(_JSON), "an http action has `body` or `json`, not both")
    return HttpAction(
        method=method.key.upper(),
        endpoint=given[method] or "",
        position=given.position,
        path=given[_PATH],
        query=given[_QUERY],
        headers=given[_HEADERS],
        body=given[_BODY],
        json=given[_JSON],
        follow=given[_FOLLOW],
        anonymous=given[_ANONYMOUS],
    )


def _http_with_endpoint(given: Fields) -> HttpAction | Unreadable:
    return _http(given) if any(given[field] is not None for field in _METHODS) else UNREADABLE


HTTP_ACTION = record(
    "http action",
    (*_METHODS, _PATH, _QUERY, _HEADERS, _BODY, _JSON, _FOLLOW, _ANONYMOUS),
    _http_with_endpoint,
    one_of=_METHODS,
)

_PROBE_NAME = required("run", SITE_NAME, help="The probe's name.")
_WITH = optional("with", mapping_of(TREE), default=dict[str, TemplateTree](), help="Its arguments.")
PROBE_ACTION: Shape[ProbeAction] = by_kind(
    "a probe's name, or a mapping with `run`",
    scalar=converted(SITE_NAME, lambda name, node, problems: ProbeAction(name, {}, node.position)),
    mapping=record(
        "probe action",
        (_PROBE_NAME, _WITH),
        lambda given: ProbeAction(given[_PROBE_NAME], given[_WITH], given.position),
    ),
)

MANUAL_ACTION = converted(
    TEMPLATE, lambda instructions, node, problems: ManualAction(instructions, node.position)
)

_SAY = required("say", TEMPLATE, help="What this way means.")
_GOTO = optional("goto", STEP_ID, help="The step to go to; without it, the next one.")
_WHEN = optional("when", EXPRESSION, help="The way is offered only when this holds.")


def _option(given: Fields) -> ChooseOption:
    return ChooseOption("", given[_SAY], given[_GOTO], given[_WHEN], given.position)


def _choose(
    entries: tuple[Entry[ChooseOption], ...], node: Node, problems: list[Problem]
) -> ChooseAction | Unreadable:
    if not entries:
        if isinstance(node, MappingNode) and not node.entries:
            problems.append(Problem(node.position, "`choose` offers nothing; name at least one way"))
        return UNREADABLE
    options = tuple(
        ChooseOption(entry.name, entry.value.say, entry.value.goto, entry.value.when, entry.position)
        for entry in entries
    )
    return ChooseAction(options, node.position)


CHOOSE_ACTION = converted(
    entries_of(
        record("way", (_SAY, _GOTO, _WHEN), _option), key=SITE_NAME, what="a mapping from names to ways"
    ),
    _choose,
)


_TYPES: dict[str, InputType] = {
    "string": "string",
    "integer": "integer",
    "number": "number",
    "boolean": "boolean",
}
INPUT_TYPE = choice(_TYPES)

_PROMPT = required("prompt", TEMPLATE, help="The question.")
TYPE = Field[InputType]("type", INPUT_TYPE, "string", must=False, help="What kind of value it is.")
_PATTERN = optional("pattern", PATTERN, help="What the whole answer must match.")
_SECRET = optional("secret", BOOLEAN, default=False, help="The answer is neither shown nor stored.")


def _ask(given: Fields) -> AskAction:
    if given.has(_PATTERN) and given[TYPE] != "string":
        given.problem(
            given.position_of(_PATTERN), "a pattern is for text; leave `type` away or make it string"
        )
    return AskAction(given[_PROMPT], given[TYPE], given[_PATTERN], given[_SECRET], given.position)


ASK_ACTION: Shape[AskAction] = by_kind(
    "a question, or a mapping with `prompt`",
    scalar=converted(
        TEMPLATE, lambda prompt, node, problems: AskAction(prompt, "string", None, False, node.position)
    ),
    mapping=record("ask action", (_PROMPT, TYPE, _PATTERN, _SECRET), _ask),
)

KUBECTL: "Field[Action | None]" = optional(
    "kubectl", KUBECTL_ACTION, help="Ask or act on the Kubernetes API."
)
SSH: "Field[Action | None]" = optional("ssh", SSH_ACTION, help="Run a command on a host.")
HTTP: "Field[Action | None]" = optional("http", HTTP_ACTION, help="Send a request to an endpoint.")
PROBE: "Field[Action | None]" = optional(
    "probe", PROBE_ACTION, help="Run a diagnostic that comes with the program."
)
MANUAL: "Field[Action | None]" = optional("manual", MANUAL_ACTION, help="Something that a person does.")
CHOOSE: "Field[Action | None]" = optional(
    "choose", CHOOSE_ACTION, help="The operator picks one of several ways."
)
ASK: "Field[Action | None]" = optional("ask", ASK_ACTION, help="The operator gives a value.")

REACHING_ACTIONS = (KUBECTL, SSH, HTTP, PROBE)
ACTIONS = (*REACHING_ACTIONS, MANUAL, CHOOSE, ASK)


def action_of(given: Fields, fields: "tuple[Field[Action | None], ...]" = ACTIONS) -> Action | None:
    """The action among a record's fields; the first where a file has several, which is a Problem already."""
    return next((action for field in fields if (action := given[field]) is not None), None)


ACTION: Shape[Action] = record(
    "action",
    REACHING_ACTIONS,
    lambda given: action_of(given, REACHING_ACTIONS) or UNREADABLE,
    one_of=REACHING_ACTIONS,
)
"""One action that reaches outside, as a mapping of its own."""
