"""What a step does, and how that is written in a runbook."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias, TypeGuard

from breakglass.runbook.expression import Expression
from breakglass.runbook.template import Template, TemplateTree
from breakglass.runbook.written import (
    COMMAND_LINE,
    MAYBE_EMPTY_TEMPLATE,
    PATTERN,
    STEP_ID,
    TEMPLATE,
    template,
)
from breakglass.yamlio.position import Position, Problem
from breakglass.yamlio.record import Given, derived, key, one_of, placed, record, shape_of
from breakglass.yamlio.shape import (
    SITE_NAME,
    UNREADABLE,
    Shape,
    SiteName,
    Unreadable,
    by_kind,
    converted,
    list_of,
    mapping_of,
    text,
)
from breakglass.yamlio.source import MappingNode, Node, ScalarNode

StepId: TypeAlias = Annotated[str, STEP_ID]
_TEXTS = mapping_of(MAYBE_EMPTY_TEMPLATE)


def _name(given: Given) -> str:
    return given.name.text if given.name is not None else ""


@record("kubectl action", short="run")
class KubectlAction:
    """Ask or act on the Kubernetes API.

    The line is split into words before anything is put into them.
    """

    words: tuple[Template, ...] = key(
        "The command line, without the word kubectl.", COMMAND_LINE, named="run"
    )
    position: Position = placed()
    cluster: SiteName | None = key("A cluster of the site, where the runbook uses several.", default=None)
    driver: Literal["native", "binary"] = key(
        "`binary` runs the kubectl program, for what the built-in driver cannot do.", default="native"
    )
    stdin: Template | None = key(
        "What the command reads from standard input.", MAYBE_EMPTY_TEMPLATE, default=None
    )
    manifest: TemplateTree = key(
        "What `apply --server-side -f -` applies: a Kubernetes object, or a list of them.", default=None
    )

    def checked(self, given: Given) -> "KubectlAction":
        if given.has("stdin") and given.has("manifest"):
            given.problem(given.at("manifest"), "a kubectl action has `stdin` or `manifest`, not both")
        return self


_RUN: Shape[tuple[Template, ...]] = by_kind(
    "a list of words, or one string for `sh`",
    scalar=converted(TEMPLATE, lambda line, node, problems: (line,)),
    sequence=list_of(TEMPLATE, "a list of words", minimum=1),
)


@record("ssh action")
class SshAction:
    """Run a command on a host.

    With `shell`, `words` holds the one string, for `sh`, and every value in it is a parameter; without, each
    word becomes exactly one argument of the remote command.
    """

    host: Template = key("A host of the site.")
    words: tuple[Template, ...] = key(
        "A list is exact arguments; a string is for `sh`, and every value in it is a parameter.",
        _RUN,
        named="run",
    )
    shell: bool = derived(lambda given: isinstance(given.nodes["run"], ScalarNode))
    position: Position = placed()
    sudo: bool = key("Run through `sudo -n`, which never asks.", default=False)
    stdin: Template | None = key(
        "What the command reads from standard input.", MAYBE_EMPTY_TEMPLATE, default=None
    )


@record("local action", short="run", short_list=True)
class LocalAction:
    """Run a program of this machine that the site names.

    With `shell`, `words` holds the one string, for `sh`, and every value in it is a parameter; without, each
    word becomes exactly one argument.
    """

    words: tuple[Template, ...] = key(
        "A list is a program and its arguments; a string is for `sh`, and every value in it is a parameter.",
        _RUN,
        named="run",
    )
    shell: bool = derived(lambda given: isinstance(given.nodes["run"], ScalarNode))
    position: Position = placed()
    stdin: Template | None = key(
        "What the program reads from standard input.", MAYBE_EMPTY_TEMPLATE, default=None
    )


_METHODS = ("get", "head", "options", "post", "put", "patch", "delete")


@record("http action")
class HttpAction:
    """Send a request to an endpoint of the site."""

    method: str = derived(lambda given: given.chosen(*_METHODS).upper())
    endpoint: str = one_of(
        {method: (f"{method.upper()} from this endpoint of the site.", SITE_NAME) for method in _METHODS}
    )
    position: Position = placed()
    path: Template | None = key(
        "Added to the endpoint's URL. Each value is one segment; one expression alone is a whole path.",
        default=None,
    )
    query: Mapping[str, Template] = key("Put after the path.", _TEXTS, default_factory=dict[str, Template])
    headers: Mapping[str, Template] = key(
        "Sent with the request.", _TEXTS, default_factory=dict[str, Template]
    )
    body: Template | None = key(
        "The request's body as text: JSON or a form, or one expression.", MAYBE_EMPTY_TEMPLATE, default=None
    )
    json: TemplateTree = key("The request's body as JSON.", default=None)
    follow: bool = key("Follow redirects; never unless asked.", default=False)
    anonymous: bool = key("Send none of the endpoint's credentials.", default=False)

    def checked(self, given: Given) -> "HttpAction":
        if given.has("body") and given.has("json"):
            given.problem(given.at("json"), "an http action has `body` or `json`, not both")
        return self


@record("probe action", short="run", kw_only=True)
class ProbeAction:
    """Run a diagnostic that comes with the program."""

    name: str = key(
        "The probe's name.", text("a probe's name", pattern=r"[A-Za-z0-9][A-Za-z0-9_.-]*"), named="run"
    )
    arguments: Mapping[str, TemplateTree] = key(
        "Its arguments.", default_factory=dict[str, TemplateTree], named="with"
    )
    position: Position = placed()


@dataclass(frozen=True, slots=True)
class ManualAction:
    """Instructions for a person. The walk goes on when the operator says what was seen or done."""

    instructions: Template
    position: Position


MANUAL: Shape[ManualAction] = converted(
    TEMPLATE, lambda instructions, node, problems: ManualAction(instructions, node.position)
)


@record("way", kw_only=True)
class ChooseOption:
    """One named way on from a `choose` step."""

    name: str = derived(_name)
    say: Template = key("What this way means.")
    goto: StepId | None = key("The step to go to; without it, the next one.", default=None)
    when: Expression | None = key("The way is offered only when this holds.", default=None)
    position: Position = derived(lambda given: given.start)


@dataclass(frozen=True, slots=True)
class ChooseAction:
    """The operator picks one of several ways on; the name picked is `result.choice`."""

    options: tuple[ChooseOption, ...]
    position: Position


def _choose(
    options: dict[str, ChooseOption], node: Node, problems: list[Problem]
) -> ChooseAction | Unreadable:
    if options:
        return ChooseAction(tuple(options.values()), node.position)
    if isinstance(node, MappingNode) and not node.entries:
        problems.append(Problem(node.position, "`choose` offers nothing; name at least one way"))
    return UNREADABLE


CHOOSE: Shape[ChooseAction] = converted(
    mapping_of(shape_of(ChooseOption), key=SITE_NAME, what="a mapping from names to ways"), _choose
)

InputType: TypeAlias = Literal["string", "integer", "number", "boolean"]


@record("ask action", short="prompt", kw_only=True)
class AskAction:
    """The operator gives a value, checked against a type and a pattern; it is `result.answer`."""

    prompt: Template = key("The question.", template("a question"))
    type: InputType = key("What kind of value it is.", default="string")
    pattern: str | None = key("What the whole answer must match.", PATTERN, default=None)
    secret: bool = key("The answer is neither shown nor stored.", default=False)
    position: Position = placed()

    def checked(self, given: Given) -> "AskAction":
        if given.has("pattern") and self.type != "string":
            given.problem(given.at("pattern"), "a pattern is for text; leave `type` away or make it string")
        return self


ReachingAction: TypeAlias = KubectlAction | SshAction | HttpAction | LocalAction | ProbeAction

Action: TypeAlias = ReachingAction | ManualAction | ChooseAction | AskAction
"""What a step does. The first five reach outside; the others are answered by the operator."""


def reaches_outside(action: Action | None) -> TypeGuard[ReachingAction]:
    """Whether the action sends a request, rather than asking the operator."""
    return isinstance(action, ReachingAction)


REACHING: Mapping[str, tuple[str, Shape[Action]]] = {
    "kubectl": ("Ask or act on the Kubernetes API.", shape_of(KubectlAction)),
    "ssh": ("Run a command on a host.", shape_of(SshAction)),
    "http": ("Send a request to an endpoint.", shape_of(HttpAction)),
    "local": ("Run a program of this machine.", shape_of(LocalAction)),
    "probe": ("Run a diagnostic that comes with the program.", shape_of(ProbeAction)),
}
"""Actions that reach outside, by the keys that they are written as."""

ACTIONS: Mapping[str, tuple[str, Shape[Action]]] = {
    **REACHING,
    "manual": ("Something that a person does.", MANUAL),
    "choose": ("The operator picks one of several ways.", CHOOSE),
    "ask": ("The operator gives a value.", shape_of(AskAction)),
}
"""All actions."""
