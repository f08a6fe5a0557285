"""Shapes of simulated hosts and HTTP endpoints."""

from breakglass.rehearsal.model import (
    EndpointSpec,
    HostSpec,
    HttpReply,
    RegistrySpec,
    Route,
)
from breakglass.rehearsal.shapes.effects import (
    COMMAND,
    DELAY,
    EFFECT_FIELDS,
    PATH_PATTERN,
    STATUS,
    WHEN,
    effect,
)
from breakglass.runbook.actions import EXPRESSION, MAYBE_EMPTY_TEMPLATE, TEMPLATE, TREE
from breakglass.runbook.model import Template, TemplateTree
from breakglass.simulator.registry.images import ImagePlatform, ImageSpec
from breakglass.site.model import BasicLogin
from breakglass.yamlio.shape import (
    BOOLEAN,
    TEXT,
    Field,
    Fields,
    Shape,
    Unreadable,
    by_kind,
    choice,
    converted,
    integer,
    list_of,
    mapping_of,
    optional,
    record,
    required,
    text,
)

_USER = optional("user", TEXT, default="root")
_COMMANDS = optional("commands", list_of(COMMAND), default=(), help="The first that fits answers.")
_FILES = optional(
    "files",
    mapping_of(MAYBE_EMPTY_TEMPLATE),
    default=dict[str, Template](),
    help="What `cat FILE` and `grep PATTERN FILE` find, by path.",
)
_REFUSE = optional("refuse", BOOLEAN, default=False, help="Nothing listens.")
_HANG = optional("hang", BOOLEAN, default=False, help="Connections are accepted and nothing is said.")
_REACHABLE = optional("reachable", EXPRESSION, help="Where it fails, connections and commands hang.")
_SUDO = optional("sudo", choice({"nopasswd": "nopasswd", "password": "password"}), default="nopasswd")
_HOST_KEY = optional(
    "host_key",
    choice({"known": "yes", "unknown": "no", "changed": "changed"}),
    default="yes",
    help="What the site's known_hosts says of it.",
)
_KEY = optional("login", choice({"accepted": "accepted", "refused": "refused"}), default="accepted")
_FORCED = optional("forced_command", BOOLEAN, default=False, help="It takes bare verbs only.")


def _host(given: Fields) -> HostSpec:
    known = given[_HOST_KEY]
    return HostSpec(
        given[_USER],
        given[_COMMANDS],
        given[_FILES],
        given[_REFUSE],
        given[_HANG],
        given[_REACHABLE],
        "password" if given[_SUDO] == "password" else "nopasswd",
        "yes" if known == "yes" else "no" if known == "no" else "changed",
        "refused" if given[_KEY] == "refused" else "accepted",
        given[_FORCED],
    )


HOST = record(
    "simulated host",
    (_USER, _COMMANDS, _FILES, _REFUSE, _HANG, _REACHABLE, _SUDO, _HOST_KEY, _KEY, _FORCED),
    _host,
)

_STATUS: Field[TemplateTree] = optional("status", TREE, default=200)
_HEADERS = optional("headers", mapping_of(TEMPLATE), default=dict[str, Template]())
_BODY = optional("body", MAYBE_EMPTY_TEMPLATE)
_JSON: Field[TemplateTree] = optional("json", TREE, help="The body as JSON, with templates.")
_REPLY_HANG = optional("hang", BOOLEAN, default=False, help="Nothing is sent until the client goes.")
_CUT = optional("cut", BOOLEAN, default=False, help="The connection is closed without an answer.")


def _http_reply(given: Fields) -> HttpReply:
    then = "hang" if given[_REPLY_HANG] else "cut" if given[_CUT] else "answer"
    return HttpReply(
        given[_STATUS],
        given[_HEADERS],
        given[_BODY],
        given[_JSON],
        given.has(_JSON),
        given[DELAY],
        then,
    )


_HTTP_REPLY: Shape[HttpReply] = by_kind(
    "a status, or a mapping",
    scalar=converted(STATUS, lambda status, node, problems: HttpReply(status=status)),
    mapping=record(
        "reply of a route",
        (_STATUS, _HEADERS, _BODY, _JSON, DELAY, _REPLY_HANG, _CUT),
        _http_reply,
        at_most_one_of=(_BODY, _JSON),
    ),
)

_METHOD_NAME = text("a method in capitals", pattern=r"[A-Z]+")
_METHOD = optional(
    "method",
    by_kind(
        "a method or a list of methods",
        scalar=converted(_METHOD_NAME, lambda method, node, problems: (method,)),
        sequence=list_of(_METHOD_NAME, minimum=1),
    ),
    default=("GET",),
    help="GET answers HEAD as well.",
)
_PATH = required("path", PATH_PATTERN, help="With `{name}` for one part and `*` for the rest.")
_REPLY = optional("reply", _HTTP_REPLY, default=HttpReply())
_ANONYMOUS = optional("anonymous", BOOLEAN, default=False, help="Asks for no credentials.")
_ROUTE = record(
    "route",
    (_METHOD, _PATH, WHEN, _REPLY, _ANONYMOUS, *EFFECT_FIELDS),
    lambda given: Route(
        given[_METHOD],
        given[_PATH],
        given[_REPLY],
        given.position,
        given[WHEN],
        effect(given),
        given[_ANONYMOUS],
    ),
)

_PLATFORM = required("platform", text("a platform such as linux/amd64", pattern=r"[a-z0-9]+(/[a-z0-9]+)+"))
_LINK = optional("link", BOOLEAN, default=True, help="Whether its revision link is there.")
_BLOB = optional("blob", BOOLEAN, default=True, help="Whether its content is there.")
_LAYERS = optional("layers", list_of(integer(1)), default=(1024,), help="Sizes in bytes.")
_MISSING = optional(
    "missing_layers", list_of(integer(0)), default=(), help="Positions of layers whose content is gone."
)
_ATTESTATION = optional("attestation", BOOLEAN, default=False)
IMAGE_PLATFORM = record(
    "platform of an image",
    (_PLATFORM, _LINK, _BLOB, _LAYERS, _MISSING, _ATTESTATION),
    lambda given: ImagePlatform(
        given[_PLATFORM],
        given[_LINK],
        given[_BLOB],
        given[_LAYERS],
        given[_MISSING],
        given[_ATTESTATION],
    ),
)
_REPOSITORY = required("repository", TEXT)
_TAGS = required("tags", list_of(text("a tag", as_written=True), minimum=1))
_SEED = optional("seed", text("text", as_written=True), help="Equal seeds make equal digests.")
_PLATFORMS = optional(
    "platforms", list_of(IMAGE_PLATFORM, minimum=1), default=(ImagePlatform("linux/amd64"),)
)
_SINGLE = optional("single", BOOLEAN, default=False, help="One manifest and no index.")
_FORMAT = optional("format", choice({"oci": "oci", "docker": "docker"}), default="oci")
_IMAGE_BASE = optional("base", TEXT, help="Images with the same base share their first layer.")


def _image(given: Fields) -> ImageSpec | Unreadable:
    if given[_SINGLE] and len(given[_PLATFORMS]) > 1:
        given.problem(given.position, "a single manifest has one platform")
    return ImageSpec(
        given[_REPOSITORY],
        given[_TAGS],
        given[_SEED] or given[_TAGS][0],
        given[_PLATFORMS],
        given[_SINGLE],
        "docker" if given[_FORMAT] == "docker" else "oci",
        given[_IMAGE_BASE],
    )


IMAGE = record("image", (_REPOSITORY, _TAGS, _SEED, _PLATFORMS, _SINGLE, _FORMAT, _IMAGE_BASE), _image)

_VARIABLE = optional("variable", TEXT, default="registry", help="The world's variable with its state.")
_IMAGES = optional("images", list_of(IMAGE), default=())
_DELETES = optional("deletes", BOOLEAN, default=True, help="Whether DELETE is enabled.")
_REGISTRY = record(
    "simulated registry",
    (_VARIABLE, _IMAGES, _DELETES),
    lambda given: RegistrySpec(given[_VARIABLE], given[_IMAGES], given[_DELETES]),
)

_URL = required(
    "url",
    text("an http or https URL", pattern=r"https?://[A-Za-z0-9.\[\]:-]+(/[A-Za-z0-9._~/-]*)?"),
    help="What it is called in life; the site pins the name to loopback. Routes match whole paths.",
)
_ROUTES = optional("routes", list_of(_ROUTE), default=())
_TRUSTED = optional("trusted", BOOLEAN, default=True, help="Whether the site trusts its certificate.")
_BEARER = optional("bearer", TEXT, help="A secret of the site; requests without it get 401.")
_BASIC_USER = required("user", TEXT)
_BASIC_PASSWORD = required("password", TEXT, help="A secret of the site.")
_BASIC = optional(
    "basic",
    record(
        "basic login",
        (_BASIC_USER, _BASIC_PASSWORD),
        lambda given: BasicLogin(given[_BASIC_USER], given[_BASIC_PASSWORD]),
    ),
)
_REGISTRY_FIELD = optional("registry", _REGISTRY, help="A registry answers what no route answers.")
_SENT_HEADERS = optional(
    "headers", mapping_of(TEXT), default=dict[str, str](), help="What the site sends with each request."
)
ENDPOINT = record(
    "simulated endpoint",
    (_URL, _ROUTES, _REFUSE, _HANG, _TRUSTED, _BEARER, _BASIC, _REGISTRY_FIELD, _SENT_HEADERS),
    lambda given: EndpointSpec(
        given[_URL],
        given[_ROUTES],
        given[_REFUSE],
        given[_HANG],
        given[_TRUSTED],
        given[_BEARER],
        given[_BASIC],
        given[_REGISTRY_FIELD],
        given[_SENT_HEADERS],
    ),
    at_most_one_of=(_BEARER, _BASIC),
)
