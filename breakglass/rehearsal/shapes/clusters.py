"""Shapes of simulated clusters: their objects, who may do what, and how pods, logs and commands behave."""

from breakglass.rehearsal.model import (
    AccessRule,
    ClusterSpec,
    ClusterUser,
    CustomKind,
    DenialRule,
    ExecRule,
    FaultRule,
    JobRule,
    LogEntry,
    LogRule,
    PodRule,
    PodSelector,
)
from breakglass.rehearsal.shapes.effects import COMMAND_FIELDS, HANG, PATTERN, WHEN, command
from breakglass.runbook.actions import TEMPLATE, TREE
from breakglass.yamlio.shape import (
    BOOLEAN,
    DURATION,
    TEXT,
    Fields,
    Shape,
    by_kind,
    choice,
    converted,
    integer,
    list_of,
    mapping_of,
    optional,
    record,
    required,
)

_CLUSTER = optional("cluster", TEXT)
_NAMESPACE = optional("namespace", TEXT)
_NAME = optional("name", PATTERN, help="A pattern for the pod's name.")
_LABELS = optional("labels", mapping_of(TEXT), default=dict[str, str]())
_CONTAINER = optional("container", TEXT)
_SELECTOR = record(
    "pod selector",
    (_CLUSTER, _NAMESPACE, _NAME, _LABELS, _CONTAINER),
    lambda given: PodSelector(
        given[_CLUSTER], given[_NAMESPACE], given[_NAME], given[_LABELS], given[_CONTAINER]
    ),
    help="Which pods are meant; everything that is given must fit.",
)
POD = optional("pod", _SELECTOR, default=PodSelector())

EXEC = record(
    "command in a container", (POD, *COMMAND_FIELDS), lambda given: ExecRule(given[POD], command(given))
)

_TEXT = required("text", TEMPLATE)
_AGO = optional("ago", DURATION, default=0.0, help="How long before now it was written.")
_EVERY = optional("every", DURATION, help="One line each so often, from `ago` until now.")
_LOG_ENTRY: Shape[LogEntry] = by_kind(
    "a line of a log",
    scalar=converted(TEMPLATE, lambda text, node, problems: LogEntry(text, 0.0)),
    mapping=record(
        "line of a log",
        (_TEXT, _AGO, _EVERY),
        lambda given: LogEntry(given[_TEXT], given[_AGO], given[_EVERY]),
    ),
)
_PREVIOUS = optional("previous", BOOLEAN, default=False, help="Of the container before its last restart.")
_LINES = optional("lines", list_of(_LOG_ENTRY), default=(), help="Oldest first.")
LOG = record(
    "log",
    (POD, WHEN, _PREVIOUS, HANG, _LINES),
    lambda given: LogRule(
        given[POD], given.position, given[WHEN], given[_PREVIOUS], given[HANG], given[_LINES]
    ),
)

_DELAY = optional("delay", DURATION, default=1.0, help="Until it reaches its phase.")
_STUCK = optional("stuck", BOOLEAN, default=False, help="It stays in ContainerCreating for ever.")
_ENDING = optional("ending", DURATION, default=1.0, help="How long it takes to end gracefully.")
_NEVER_ENDS = optional("never_ends", BOOLEAN, default=False, help="It stays Terminating until forced.")
_PHASE = optional("phase", TEXT, default="Running")
_READY = optional("ready", BOOLEAN, default=True)
_WAITING = optional("waiting", TEXT, default="", help="A reason such as CrashLoopBackOff.")
_MESSAGE = optional("message", TEXT, default="")
_TERMINATED = optional("terminated", TEXT, default="", help="How its containers last ended: OOMKilled.")
_RESTARTS = optional("restarts", integer(0), default=0)


def _pod_rule(given: Fields) -> PodRule:
    return PodRule(
        given[POD],
        given.position,
        given[WHEN],
        None if given[_STUCK] else given[_DELAY],
        None if given[_NEVER_ENDS] else given[_ENDING],
        given[_PHASE],
        given[_READY],
        given[_WAITING],
        given[_MESSAGE],
        given[_TERMINATED],
        given[_RESTARTS],
    )


_POD_RULE = record(
    "way of a pod",
    (
        POD,
        WHEN,
        _DELAY,
        _STUCK,
        _ENDING,
        _NEVER_ENDS,
        _PHASE,
        _READY,
        _WAITING,
        _MESSAGE,
        _TERMINATED,
        _RESTARTS,
    ),
    _pod_rule,
)

_SECONDS = optional("takes", DURATION, default=1.0)
_HANGS = optional("never_ends", BOOLEAN, default=False)
_EXIT = optional("exit", integer(0, 255), default=0)
_REASON = optional("reason", TEXT, default="")
_JOB_RULE = record(
    "way of a job",
    (POD, WHEN, _SECONDS, _HANGS, _EXIT, _REASON),
    lambda given: JobRule(
        given[POD],
        given.position,
        given[WHEN],
        None if given[_HANGS] else given[_SECONDS],
        given[_EXIT],
        given[_REASON],
    ),
)

_ON = required("on", PATTERN, help="`VERB PLURAL NAMESPACE/NAME`, such as `delete pods vault/*`.")
_DENIAL_MESSAGE = required("message", TEMPLATE)
_CODE = optional("code", integer(400, 599), default=403)
_DENIAL = record(
    "denial",
    (_ON, WHEN, _DENIAL_MESSAGE, _CODE, _REASON),
    lambda given: DenialRule(
        given[_ON], given[_DENIAL_MESSAGE], given.position, given[WHEN], given[_CODE], given[_REASON]
    ),
    help="Admission refuses a change.",
)

_FAULT_KIND = required(
    "fault",
    choice(
        {
            "answer": "answer",
            "hang": "hang",
            "cut": "cut",
            "slow": "slow",
            "hang-after": "hang-after",
            "cut-after": "cut-after",
        }
    ),
)
_FAULT_CODE = optional("code", integer(400, 599), default=500)
_FAULT_REASON = optional("reason", TEXT, default="InternalError")
_FAULT_MESSAGE = optional("message", TEXT, default="Internal error occurred: the server is not well")
_FAULT_SECONDS = optional("seconds", DURATION, default=0.0)


def _fault(given: Fields) -> FaultRule:
    kind = given[_FAULT_KIND]
    assert kind in ("answer", "hang", "cut", "slow", "hang-after", "cut-after")
    return FaultRule(
        given[_ON],
        kind,
        given.position,
        given[WHEN],
        given[_FAULT_CODE],
        given[_FAULT_REASON],
        given[_FAULT_MESSAGE],
        given[_FAULT_SECONDS],
    )


_FAULT = record(
    "fault of the API server",
    (_ON, _FAULT_KIND, WHEN, _FAULT_CODE, _FAULT_REASON, _FAULT_MESSAGE, _FAULT_SECONDS),
    _fault,
)

_WORDS = list_of(TEXT, minimum=1)
_VERBS = required("verbs", _WORDS)
_RESOURCES = required("resources", _WORDS, help="Plurals, or `pods/exec`; `*` for all.")
_GROUPS = optional("groups", _WORDS, default=("*",))
_NAMES = optional("names", _WORDS, default=())
_NAMESPACES = optional("namespaces", _WORDS, default=())
_ACCESS = record(
    "access rule",
    (_VERBS, _RESOURCES, _GROUPS, _NAMES, _NAMESPACES),
    lambda given: AccessRule(
        given[_VERBS], given[_RESOURCES], given[_GROUPS], given[_NAMES], given[_NAMESPACES]
    ),
)
_USER_NAME = required("name", TEXT)
_RULES = optional("rules", list_of(_ACCESS), help="Without rules everything is allowed.")
_USER = record(
    "user of a cluster",
    (_USER_NAME, _RULES),
    lambda given: ClusterUser(given[_USER_NAME], given[_RULES]),
)

_GROUP = required("group", TEXT)
_VERSION = optional("version", TEXT, default="v1")
_PLURAL = required("plural", TEXT)
_KIND = required("kind", TEXT)
_NAMESPACED = optional("namespaced", BOOLEAN, default=True)
_SHORT = optional("short_names", _WORDS, default=())
_CUSTOM = record(
    "custom kind",
    (_GROUP, _VERSION, _PLURAL, _KIND, _NAMESPACED, _SHORT),
    lambda given: CustomKind(
        given[_GROUP],
        given[_VERSION],
        given[_PLURAL],
        given[_KIND],
        given[_NAMESPACED],
        given[_SHORT],
    ),
)

_OBJECTS = optional("objects", list_of(TREE), default=(), help="Kubernetes objects; rendered once.")
_KINDS = optional("kinds", list_of(_CUSTOM), default=())
_USERS = optional("users", list_of(_USER), default=(), help="The first is the one whom the site uses.")
_PODS = optional("pods", list_of(_POD_RULE), default=(), help="How pods come up; the first that fits.")
_JOBS = optional("jobs", list_of(_JOB_RULE), default=())
_DENIALS = optional("denials", list_of(_DENIAL), default=())
_FAULTS = optional("faults", list_of(_FAULT), default=())
CLUSTER = record(
    "simulated cluster",
    (_OBJECTS, _KINDS, _USERS, _PODS, _JOBS, _DENIALS, _FAULTS),
    lambda given: ClusterSpec(
        given[_OBJECTS],
        given[_KINDS],
        given[_USERS],
        given[_PODS],
        given[_JOBS],
        given[_DENIALS],
        given[_FAULTS],
    ),
)
