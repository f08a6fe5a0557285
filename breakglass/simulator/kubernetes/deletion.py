"""How an object ends: preconditions, grace periods, finalizers, and what becomes of what it owns.

Source: `staging/src/k8s.io/apiserver/pkg/registry/rest/delete.go` and the pod strategy of Kubernetes 1.34.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from breakglass.kubernetes_objects import (
    Object,
    at,
    mapping,
    name_of,
    namespace_of,
    number,
    text,
    texts,
    uid_of,
)
from breakglass.simulator.kubernetes import statuses
from breakglass.simulator.kubernetes.defaults import DEFAULT_GRACE
from breakglass.simulator.kubernetes.kinds import ResourceKind
from breakglass.simulator.kubernetes.objects import copied, is_finished, is_going, moment, put, timestamp
from breakglass.simulator.kubernetes.store import ObjectStore

ORPHAN = "orphan"
FOREGROUND = "foregroundDeletion"

Propagation = Literal["Background", "Foreground", "Orphan"]


@dataclass(frozen=True, slots=True)
class DeleteOptions:
    """grace: seconds, None for the object's own. propagation: None for the resource's default."""

    grace: int | None = None
    propagation: Propagation | None = None
    uid: str = ""
    resource_version: str = ""
    dry_run: bool = False


def delete_options(body: Object, query: Object) -> DeleteOptions:
    """The options of a deletion. ApiError 422 or 400 where not valid.

    As in the real API server, a body that is there is all that counts: even `dryRun` in the query string is
    then not looked at, and the object is gone.
    """
    query = {} if body else query
    if text(body, "kind") not in ("", "DeleteOptions"):
        kind, version = text(body, "kind"), text(body, "apiVersion")
        raise statuses.bad_request(f'no kind "{kind}" is registered for version "{version}" here')
    grace = at(body, "gracePeriodSeconds")
    if grace is None and "gracePeriodSeconds" in query:
        try:
            grace = int(text(query, "gracePeriodSeconds"))
        except ValueError:
            raise statuses.bad_request("gracePeriodSeconds must be a number") from None
    if grace is not None and (not isinstance(grace, int) or isinstance(grace, bool)):
        raise statuses.bad_request("gracePeriodSeconds must be a number")
    propagation = text(body, "propagationPolicy") or text(query, "propagationPolicy")
    if propagation and at(body, "orphanDependents") is not None:
        why = f'Invalid value: "{propagation}": orphanDependents and deletionPropagation cannot be both set'
        raise _invalid("propagationPolicy", "FieldValueInvalid", why)
    if not propagation and at(body, "orphanDependents") is True:
        propagation = "Orphan"
    match propagation:
        case "" | "Background" | "Foreground" | "Orphan":
            pass
        case _:
            message = (
                f'Unsupported value: "{propagation}": supported values: '
                '"Foreground", "Background", "Orphan", "nil"'
            )
            raise _invalid("propagationPolicy", "FieldValueNotSupported", message)
    dry_run = [*filter(None, [text(query, "dryRun")]), *texts(body, "dryRun")]
    if any(value != "All" for value in dry_run):
        raise _invalid("dryRun", "FieldValueNotSupported", statuses.not_supported(dry_run))
    return DeleteOptions(
        grace,
        propagation or None,
        text(body, "preconditions", "uid"),
        text(body, "preconditions", "resourceVersion"),
        bool(dry_run),
    )


def _invalid(field: str, reason: str, message: str) -> statuses.ApiError:
    return statuses.invalid_options("DeleteOptions", field, reason, message)


def check_preconditions(kind: ResourceKind, value: Object, options: DeleteOptions) -> None:
    """ApiError 409 where the object is not the one that was meant. It names the kind, not the resource, as
    the real answer does."""
    version = text(value, "metadata", "resourceVersion")
    if options.uid and options.uid != uid_of(value):
        why = (
            f"the UID in the precondition ({options.uid}) does not match the UID in record "
            f"({uid_of(value)}). The object might have been deleted and then recreated"
        )
    elif options.resource_version and options.resource_version != version:
        why = (
            f"the ResourceVersion in the precondition ({options.resource_version}) does not match the "
            f"ResourceVersion in record ({version}). The object might have been modified"
        )
    else:
        return
    what = f"{kind.kind}.{kind.group}" if kind.group else kind.kind
    details: Object = {"name": name_of(value), "kind": kind.kind}
    if kind.group:
        details["group"] = kind.group
    message = f'Operation cannot be fulfilled on {what} "{name_of(value)}": {why}'
    raise statuses.ApiError(409, "Conflict", message, details)


def grace_of(kind: ResourceKind, value: Object, asked: int | None) -> int:
    """How many seconds the object gets: only pods have any."""
    if (kind.group, kind.kind) != ("", "Pod"):
        return 0
    if not text(value, "spec", "nodeName") or is_finished(value):
        return 0
    if asked is None:
        return number(value, "spec", "terminationGracePeriodSeconds", default=DEFAULT_GRACE)
    return max(asked, 1) if asked < 0 else asked


def delete(store: ObjectStore, kind: ResourceKind, value: Object, options: DeleteOptions) -> Object | None:
    """Begin or finish the deletion of an object that is in the store. Gives the object where it stays for
    now (grace, finalizers), None where it is gone."""
    going = left_of(store, kind, value, options)
    if going is None:
        store.remove(kind, namespace_of(value), name_of(value))
        return None
    return store.replace(kind, going)


def left_of(store: ObjectStore, kind: ResourceKind, value: Object, options: DeleteOptions) -> Object | None:
    """What a deletion leaves of an object for now; None for nothing. Changes nothing."""
    grace = grace_of(kind, value, options.grace)
    propagation = options.propagation or default_propagation(kind)
    finalizers = [
        finalizer
        for finalizer in texts(value, "metadata", "finalizers")
        if finalizer not in (ORPHAN, FOREGROUND)
    ]
    if propagation == "Orphan":
        finalizers.append(ORPHAN)
    elif propagation == "Foreground":
        finalizers.append(FOREGROUND)
    if grace == 0 and not finalizers:
        return None
    if is_going(value):
        grace = min(grace, number(value, "metadata", "deletionGracePeriodSeconds", default=grace))
    going = copied(value)
    put(going, list(finalizers), "metadata", "finalizers")
    if not finalizers:
        mapping(going, "metadata").pop("finalizers")
    if not is_going(value) or grace < number(value, "metadata", "deletionGracePeriodSeconds"):
        ends = _began(value, store.clock.now()) + timedelta(seconds=grace)
        put(going, timestamp(ends), "metadata", "deletionTimestamp")
        put(going, grace, "metadata", "deletionGracePeriodSeconds")
    return going


def _began(value: Object, now: datetime) -> datetime:
    """When the deletion began: a shorter grace counts from then, not from when it was asked for."""
    ends = moment(text(value, "metadata", "deletionTimestamp"))
    if ends is None:
        return now
    return ends - timedelta(seconds=number(value, "metadata", "deletionGracePeriodSeconds"))


def default_propagation(kind: ResourceKind) -> Propagation:
    """Jobs leave their pods behind when a client does not say otherwise; everything else does not."""
    return "Orphan" if (kind.group, kind.kind) == ("batch", "Job") else "Background"


def finish(store: ObjectStore, kind: ResourceKind, value: Object) -> Object | None:
    """The grace is over: the object goes unless finalizers hold it."""
    return delete(store, kind, value, DeleteOptions(grace=0, propagation="Background"))


def stored_or_gone(store: ObjectStore, kind: ResourceKind, value: Object) -> Object:
    """Store an update, or remove the object if the update took away the last thing that held it."""
    ends = (
        is_going(value)
        and not texts(value, "metadata", "finalizers")
        and number(value, "metadata", "deletionGracePeriodSeconds") == 0
    )
    stored = store.replace(kind, value)
    if ends:
        return store.remove(kind, namespace_of(value), name_of(value))
    return stored
