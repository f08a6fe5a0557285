"""Simulated hosts behind SSH, and simulated HTTP services."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from breakglass.rehearsal.patterns import PATH_PATTERN, TextPattern
from breakglass.rehearsal.spec.effects import NO_EFFECT, CommandRule, Condition, Effect
from breakglass.runbook.template import Template, TemplateTree
from breakglass.runbook.written import MAYBE_EMPTY_TEMPLATE
from breakglass.simulator.registry.images import ImagePlatform, ImageSpec
from breakglass.site.model import BasicLogin
from breakglass.yamlio.position import Position
from breakglass.yamlio.record import Given, derived, inlined, key, placed, record, shape_of
from breakglass.yamlio.shape import (
    DURATION,
    SITE_NAME,
    Identifier,
    SiteName,
    by_kind,
    integer,
    list_of,
    made,
    mapping_of,
    one_or_more,
    text,
)

_TEXTS = mapping_of(MAYBE_EMPTY_TEMPLATE)


@record("simulated host")
class HostSpec:
    """A simulated machine behind SSH."""

    user: str = key("Whom it lets in.", default="root")
    commands: tuple[CommandRule, ...] = key("The first that fits answers.", default=())
    files: Mapping[str, Template] = key(
        "What `cat FILE` and `grep PATTERN FILE` find, by path.", _TEXTS, default_factory=dict[str, Template]
    )
    refuse: bool = key("Nothing listens.", default=False)
    hang: bool = key("Connections are accepted and nothing is said.", default=False)
    reachable: Condition = key("Where it fails, connections and commands hang.", default=None)
    sudo: Literal["nopasswd", "password"] = key("With `password`, `sudo -n` fails.", default="nopasswd")
    host_key: Literal["known", "unknown", "changed"] = key(
        "What the site's known_hosts says of it.", default="known"
    )
    login: Literal["accepted", "refused"] = key("Whether it accepts the site's key.", default="accepted")
    forced_command: bool = key("It takes bare verbs only.", default=False)


@record("simulated programs")
class LocalSpec:
    """What answers for the programs of the machine where the session runs. None of them is started."""

    programs: tuple[SiteName, ...] = key(
        "The programs that the rehearsal's site names.", one_or_more(SITE_NAME)
    )
    commands: tuple[CommandRule, ...] = key("The first that fits answers.", default=())
    files: Mapping[str, Template] = key(
        "What `cat FILE` and `grep PATTERN FILE` find, by path.", _TEXTS, default_factory=dict[str, Template]
    )


@record("reply of a route", at_most_one_of=("body", "json"))
class HttpReply:
    """How a service answers."""

    status: TemplateTree = key("The HTTP status.", default=200)
    headers: Mapping[str, Template] = key("The answer's headers.", default_factory=dict[str, Template])
    body: Template | None = key("The body as text.", MAYBE_EMPTY_TEMPLATE, default=None)
    json: TemplateTree = key("The body as JSON, with templates.", default=None)
    has_json: bool = derived(lambda given: given.has("json"), default=False)
    delay: float = key("Simulated time until the answer.", DURATION, default=0.0)
    hang: bool = key("Nothing is sent until the client goes.", default=False)
    cut: bool = key("The connection is closed without an answer.", default=False)


_REPLY = by_kind(
    "a status, or a mapping", scalar=made(integer(100, 599), HttpReply), mapping=shape_of(HttpReply)
)
_METHOD = text("a method in capitals", pattern=r"[A-Z]+")


@record("route", kw_only=True)
class Route:
    """How some requests are answered. The first route that fits counts."""

    path: TextPattern = key("With `{name}` for one part and `*` for the rest.", PATH_PATTERN)
    methods: tuple[str, ...] = key(
        "A method or several; GET answers HEAD as well.",
        one_or_more(_METHOD),
        default=("GET",),
        named="method",
    )
    when: Condition = key("Only while this holds.", default=None)
    reply: HttpReply = key("What it answers.", _REPLY, default=HttpReply())
    anonymous: bool = key("Asks for no credentials.", default=False)
    effect: Effect = inlined(default=NO_EFFECT)
    position: Position = placed()


@record("platform of an image")
class Platform(ImagePlatform):
    """One child of an index."""

    platform: str = key(
        "Its system and machine.", text("a platform such as linux/amd64", pattern=r"[a-z0-9]+(/[a-z0-9]+)+")
    )
    link: bool = key("Whether its revision link is there.", default=True)
    blob: bool = key("Whether its content is there.", default=True)
    layers: tuple[int, ...] = key("Sizes in bytes.", list_of(integer(1)), default=(1024,))
    missing_layers: tuple[int, ...] = key(
        "Positions of layers whose content is gone.", list_of(integer(0)), default=()
    )
    config: bool = key("Whether the content of its config is there.", default=True)
    attestation: bool = key("It holds an attestation instead of a program.", default=False)


@record("image")
class Image(ImageSpec):
    """An image in a registry: an index with children, or one manifest."""

    repository: str = key("Its repository.")
    tags: tuple[str, ...] = key("Its tags.", list_of(text("a tag", as_written=True), minimum=1))
    seed: str = key(
        "Equal seeds make equal digests; the first tag where not given.",
        text(as_written=True),
        default="",
    )
    platforms: tuple[ImagePlatform, ...] = key(
        "Its children; linux/amd64 where not given.",
        list_of(shape_of(Platform), minimum=1),
        default=(ImagePlatform("linux/amd64"),),
    )
    single: bool = key("One manifest and no index.", default=False)
    format: Literal["oci", "docker"] = key("Whose media types it has.", default="oci")
    base: str | None = key("Images with the same base share their first layer.", default=None)

    def checked(self, given: Given) -> "Image":
        if self.single and len(self.platforms) > 1:
            given.problem(given.position, "a single manifest has one platform")
        return self if self.seed or not self.tags else replace(self, seed=self.tags[0])


@record("simulated registry")
class RegistrySpec:
    """A registry of version 2.8. Its state is a variable of the world, so that rules can move it."""

    variable: str = key("The world's variable with its state.", default="registry")
    images: tuple[Image, ...] = key("What it holds at the start.", default=())
    deletes: bool = key("Whether DELETE is enabled.", default=True)


@record("simulated endpoint", at_most_one_of=("bearer", "basic"))
class EndpointSpec:
    """A simulated HTTP service."""

    url: str = key(
        "What it is called in life; the site pins the name to loopback. Routes match whole paths.",
        text("an http or https URL", pattern=r"https?://[A-Za-z0-9.\[\]:-]+(/[A-Za-z0-9._~/-]*)?"),
    )
    routes: tuple[Route, ...] = key("The first that fits answers.", default=())
    refuse: bool = key("Nothing listens.", default=False)
    hang: bool = key("Connections are accepted and nothing is said.", default=False)
    trusted: bool = key("Whether the site trusts its certificate.", default=True)
    bearer: Identifier | None = key("A secret of the site; requests without it get 401.", default=None)
    basic: BasicLogin | None = key("A login; requests without it get 401.", default=None)
    registry: RegistrySpec | None = key("A registry answers what no route answers.", default=None)
    headers: Mapping[str, str] = key("What the site sends with each request.", default_factory=dict[str, str])
