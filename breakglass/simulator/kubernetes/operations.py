"""The verbs of the API on stored objects: validation, admission, preconditions, dry run, and the change.

Reading needs nothing of this; it goes to the store. Everything here raises `ApiError` for what it refuses.
"""

import string
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from breakglass.kubernetes_objects import (
    Object,
    at,
    labels_of,
    mapping,
    name_of,
    namespace_of,
    number,
    text,
    uid_of,
)
from breakglass.simulator.kubernetes import deletion, statuses, validation
from breakglass.simulator.kubernetes.budgets import budget_counts
from breakglass.simulator.kubernetes.deletion import DeleteOptions
from breakglass.simulator.kubernetes.hooks import Change, Denial, Hooks, Verb
from breakglass.simulator.kubernetes.kinds import ResourceKind
from breakglass.simulator.kubernetes.objects import copied, is_finished, is_going, is_ready, put, timestamp
from breakglass.simulator.kubernetes.patching import PatchType, patched
from breakglass.simulator.kubernetes.selectors import selects
from breakglass.simulator.kubernetes.server_side_apply import Applied
from breakglass.simulator.kubernetes.store import ObjectStore
from breakglass.values import Json

GENERATED = string.digits[2:] + "".join(letter for letter in string.ascii_lowercase if letter not in "aeiou")
"""The letters of generated names: no vowels, so that no words come of it."""


GIVEN_BACK = ("Pod", "ServiceAccount", "StorageClass")
"""Kinds of which a deletion answers with the object that is gone."""


@dataclass(frozen=True, slots=True)
class RequestTarget:
    """One object, or one to be: where a request points."""

    kind: ResourceKind
    namespace: str
    name: str
    subresource: str = ""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and whether it is only a dry run."""

    user: str
    dry_run: bool = False


class Operations:
    def __init__(self, store: ObjectStore, hooks: Hooks) -> None:
        self._store = store
        self._hooks = hooks
        self._applied = Applied()

    async def create(self, target: RequestTarget, body: Object, asked: Caller) -> Object:
        kind = target.kind
        value = self._identified(target, body)
        if not name_of(value) and (prefix := text(value, "metadata", "generateName")):
            put(value, prefix + generated(self._store), "metadata", "name")
        for field in (
            "uid",
            "resourceVersion",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "managedFields",
        ):
            mapping(value, "metadata").pop(field, None)
        put(value, timestamp(self._store.clock.now()), "metadata", "creationTimestamp")
        if "status" in kind.subresources:
            value.pop("status", None)
        validation.check_types(kind.kind, kind.api_version, value)
        validation.check_new(kind, value)
        if target.namespace and self._namespace_phase(target.namespace) != "Active":
            await self._closed_namespace(kind, name_of(value), target.namespace)
        if self._store.find(kind, target.namespace, name_of(value)) is not None:
            raise statuses.already_exists(kind, name_of(value))
        change = self._change("create", target, asked, None, value)
        await self._admit(change)
        if asked.dry_run:
            put(value, uid_of(value) or "00000000-0000-4000-8000-000000000000", "metadata", "uid")
            return self._store.completed(kind, value)
        stored = self._store.create(kind, value)
        self._hooks.after_change(self._change("create", target, asked, None, stored))
        return stored

    def _identified(self, target: RequestTarget, body: Object) -> Object:
        """The body with its identity checked against the address of the request."""
        value = copied(body)
        given = (text(value, "apiVersion"), text(value, "kind"))
        wanted = (target.kind.api_version, target.kind.kind)
        if given != wanted:
            message = f"the API version in the data ({given[0]}) does not match the expected API version "
            raise statuses.bad_request(f"{message}({wanted[0]}), kind {given[1]} against {wanted[1]}")
        if not isinstance(value.get("metadata"), dict):
            value["metadata"] = {}
        if target.kind.namespaced:
            if namespace_of(value) not in ("", target.namespace):
                raise statuses.bad_request(
                    "the namespace of the provided object does not match the namespace sent on the request"
                )
            put(value, target.namespace, "metadata", "namespace")
        if target.name and name_of(value) not in ("", target.name):
            raise statuses.bad_request(
                f"the name of the object ({name_of(value)}) does not match the name on the URL "
                f"({target.name})"
            )
        if target.name:
            put(value, target.name, "metadata", "name")
        return value

    def _namespace_phase(self, namespace: str) -> str:
        found = self._store.find(self._store.kinds.named("Namespace", ""), "", namespace)
        return "" if found is None else text(found, "status", "phase", default="Active")

    async def _closed_namespace(self, kind: ResourceKind, name: str, namespace: str) -> None:
        if not self._namespace_phase(namespace):
            raise statuses.not_found(self._store.kinds.named("Namespace", ""), namespace)
        why = f"unable to create new content in namespace {namespace} because it is being terminated"
        raise statuses.refused(kind, name, why)

    async def update(self, target: RequestTarget, body: Object, asked: Caller) -> Object:
        value = self._identified(target, body)
        return await self._modify("update", target, lambda before: copied(value), asked)

    async def patch(self, target: RequestTarget, form: PatchType, body: Json, asked: Caller) -> Object:
        kind = target.kind
        if form == "strategic" and kind.is_custom:
            raise statuses.unsupported_media(
                "application/strategic-merge-patch+json",
                ("application/json-patch+json", "application/merge-patch+json"),
            )

        def compute(before: Object) -> Object:
            return self._identified(target, patched(form, kind.kind, kind.api_version, before, body))

        return await self._modify("patch", target, compute, asked)

    async def apply(
        self, target: RequestTarget, wanted: Object, manager: str, force: bool, asked: Caller
    ) -> tuple[Object, int]:
        """Server-side apply: the object, and the code of the answer, which is 201 where it was made."""
        kind = target.kind
        before = self._store.find(kind, target.namespace, target.name)
        if before is None:
            if uid := uid_of(wanted):
                why = (
                    f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
                )
                raise statuses.conflict(kind, target.name, why)
            body = self._identified(target, wanted)
            made = await self.create(RequestTarget(kind, target.namespace, ""), body, asked)
            if not asked.dry_run:
                self._applied.remember(uid_of(made), manager, wanted)
            return made, 201
        uid = uid_of(before)
        if not force:
            self._applied.check(kind, before, uid, manager, wanted)
        change = self._applied.patch(uid, manager, wanted)
        after = await self.patch(target, "merge" if kind.is_custom else "strategic", change, asked)
        if not asked.dry_run:
            self._applied.take(before, uid, manager, wanted)
            self._applied.remember(uid, manager, wanted)
        return after, 200

    async def _modify(
        self, verb: Verb, target: RequestTarget, compute: Callable[[Object], Object], asked: Caller
    ) -> Object:
        """Change an object that is there; computed again when it changed while admission took its time."""
        kind = target.kind
        while True:
            before = self._store.get(kind, target.namespace, target.name)
            value = compute(before)
            _check_identity(target, value, before, verb)
            value = _kept_apart(target, value, before)
            if verb == "update":
                validation.check_types(kind.kind, kind.api_version, value)
            if not target.subresource:
                validation.check_changed(kind, value, before)
            change = self._change(verb, target, asked, before, value)
            await self._admit(change)
            now = self._store.get(kind, target.namespace, target.name)
            if _version(now) == _version(before):
                break
        if asked.dry_run:
            return self._store.replaced(kind, value, before)
        stored = deletion.stored_or_gone(self._store, kind, value)
        self._hooks.after_change(self._change(verb, target, asked, before, stored))
        return stored

    async def delete(self, target: RequestTarget, options: DeleteOptions, user: str) -> Object:
        """Gives the object while it stays for now, and a Status once it is gone."""
        kind = target.kind
        value = self._store.get(kind, target.namespace, target.name)
        deletion.check_preconditions(kind, value, options)
        asked = Caller(user, options.dry_run)
        change = self._change("delete", target, asked, value, None, options)
        await self._admit(change)
        value = self._store.get(kind, target.namespace, target.name)
        deletion.check_preconditions(kind, value, options)
        if kind.kind == "Namespace":
            left: Object | None = _ending(value, self._store.clock.now())
        else:
            left = deletion.left_of(self._store, kind, value, options)
        if options.dry_run:
            left = None if left is None else self._store.replaced(kind, left, value)
        else:
            if kind.kind == "Namespace" and left is not None:
                left = self._store.replace(kind, left)
            else:
                left = deletion.delete(self._store, kind, value, options)
            self._hooks.after_change(self._change("delete", target, asked, value, None, options))
        if left is not None:
            return left
        return value if kind.kind in GIVEN_BACK else statuses.success(kind, target.name, uid_of(value))

    async def evict(self, namespace: str, name: str, body: Object, query_dry_run: bool, user: str) -> Object:
        """The eviction subresource: a deletion that disruption budgets may refuse with 429."""
        kind = self._store.kinds.named("Pod", "")
        options = deletion.delete_options(mapping(body, "deleteOptions"), {})
        dry_run = query_dry_run or options.dry_run
        pod = self._store.get(kind, namespace, name)
        deletion.check_preconditions(kind, pod, options)
        target = RequestTarget(kind, namespace, name, "eviction")
        await self._admit(self._change("evict", target, Caller(user, dry_run), pod, None, options))
        pod = self._store.get(kind, namespace, name)
        deletion.check_preconditions(kind, pod, options)
        if not is_finished(pod) and not is_going(pod):
            self._check_budget(pod)
        if not dry_run:
            deletion.delete(self._store, kind, pod, options)
            self._hooks.after_change(self._change("evict", target, Caller(user), pod, None, options))
        return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}

    def _check_budget(self, pod: Object) -> None:
        budgets = [
            budget
            for budget in self._store.peek("PodDisruptionBudget", namespace_of(pod))
            if selects(at(budget, "spec", "selector"), labels_of(pod))
        ]
        if len(budgets) > 1:
            message = (
                "This pod has more than one PodDisruptionBudget, which the eviction subresource does not "
                "support."
            )
            raise statuses.ApiError(500, "InternalError", message)
        for budget in budgets:
            healthy, desired = budget_counts(self._store, budget)
            if healthy > desired or (not is_ready(pod) and healthy >= desired):
                continue
            cause = (
                f"The disruption budget {name_of(budget)} needs {desired} healthy pods and has {healthy} "
                "currently"
            )
            raise statuses.too_many(
                "Cannot evict pod as it would violate the pod's disruption budget.",
                [{"reason": "DisruptionBudget", "message": cause}],
            )

    def scale(self, target: RequestTarget) -> Object:
        """The Scale of a Deployment, ReplicaSet or StatefulSet."""
        value = self._store.get(target.kind, target.namespace, target.name)
        return scale_of(value)

    async def set_scale(
        self, target: RequestTarget, compute: Callable[[Object], Object], asked: Caller
    ) -> Object:
        """Change the number of replicas. `compute` gets the Scale and gives the wanted one."""

        def scaled(before: Object) -> Object:
            scale = compute(scale_of(before))
            validation.check_types("Scale", "autoscaling/v1", scale)
            validation.check_scale(target.name, scale)
            _check_identity(target, scale, before, "scale")
            value = copied(before)
            put(value, number(scale, "spec", "replicas"), "spec", "replicas")
            return value

        bare = RequestTarget(target.kind, target.namespace, target.name)
        return scale_of(await self._modify("scale", bare, scaled, asked))

    def _change(
        self,
        verb: Verb,
        target: RequestTarget,
        asked: Caller,
        before: Object | None,
        after: Object | None,
        options: DeleteOptions | None = None,
    ) -> Change:
        kind = target.kind
        name = target.name or name_of(after)
        subresource = "scale" if verb == "scale" else target.subresource
        if options is None:
            return Change(
                verb, kind, target.namespace, name, asked.user, before, after, subresource, asked.dry_run
            )
        return Change(
            verb,
            kind,
            target.namespace,
            name,
            asked.user,
            before,
            None,
            subresource,
            asked.dry_run,
            options.grace,
            options.propagation or deletion.default_propagation(kind),
        )

    async def _admit(self, change: Change) -> None:
        denial = await self._hooks.before_change(change)
        if denial is not None:
            raise _denied(change, denial)


def _denied(change: Change, denial: Denial) -> statuses.ApiError:
    match denial.code:
        case 403:
            return statuses.refused(change.kind, change.name, denial.message)
        case 422:
            return statuses.invalid(
                change.kind, change.name, [("spec", "FieldValueForbidden", denial.message)]
            )
        case 500:
            return statuses.ApiError(
                500, denial.reason or "InternalError", f"Internal error occurred: {denial.message}"
            )
        case _:
            return statuses.ApiError(denial.code, denial.reason, denial.message)


def _ending(namespace: Object, now: datetime) -> Object:
    """A namespace whose deletion has begun."""
    ending = copied(namespace)
    put(
        ending,
        text(ending, "metadata", "deletionTimestamp") or timestamp(now),
        *("metadata", "deletionTimestamp"),
    )
    put(ending, "Terminating", "status", "phase")
    return ending


def _version(value: Object) -> str:
    return text(value, "metadata", "resourceVersion")


def _check_identity(target: RequestTarget, value: Object, before: Object, verb: Verb) -> None:
    """A resourceVersion or uid in what is asked must be that of what is there. For a real server a uid in an
    update is a precondition, and one in a patch an attempt to change it."""
    kind, name = target.kind, name_of(before)
    uid, version = uid_of(value), _version(value)
    other_uid = bool(uid) and uid != uid_of(before)
    why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {uid_of(before)}"
    if other_uid and verb == "scale":
        raise statuses.conflict(kind, name, why, "scale")
    if other_uid and verb == "update":
        key = "/".join(filter(None, ("/registry", kind.plural, target.namespace, name)))
        stored = f"StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: 0, AdditionalErrorMsg"
        raise statuses.conflict(kind, name, f"{stored}: {why}")
    if version and version != _version(before):
        raise statuses.stale(kind, name)
    if other_uid:
        immutable = f'Invalid value: "{uid}": field is immutable'
        raise statuses.invalid(kind, name, [("metadata.uid", "FieldValueInvalid", immutable)])


def _kept_apart(target: RequestTarget, value: Object, before: Object) -> Object:
    """Spec and status change through their own addresses only; what the API alone may set stays."""
    if target.subresource == "status":
        changed = copied(before)
        changed["status"] = value.get("status")
        return changed
    changed = copied(value)
    if "status" in target.kind.subresources:
        changed.pop("status", None)
        if "status" in before:
            changed["status"] = copied(before)["status"]
    metadata = mapping(changed, "metadata")
    metadata.pop("managedFields", None)
    for field in (
        "uid",
        "resourceVersion",
        "creationTimestamp",
        "generation",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
    ):
        metadata.pop(field, None)
        if field in mapping(before, "metadata"):
            metadata[field] = mapping(before, "metadata")[field]
    for field in ("labels", "annotations", "finalizers", "ownerReferences"):
        if not metadata.get(field):
            metadata.pop(field, None)
    return changed


def scale_of(value: Object) -> Object:
    labels = mapping(value, "spec", "selector", "matchLabels")
    metadata: Object = {
        field: mapping(value, "metadata")[field]
        for field in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
        if field in mapping(value, "metadata")
    }
    replicas = number(value, "spec", "replicas")
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": metadata,
        "spec": {"replicas": replicas} if replicas else {},  # as Go leaves out what is zero
        "status": {
            "replicas": number(value, "status", "replicas"),
            "selector": ",".join(f"{key}={entry}" for key, entry in sorted(labels.items())),
        },
    }


def generated(store: ObjectStore, length: int = 5) -> str:
    """The random end of a generated name."""
    return "".join(store.random.choice(GENERATED) for _ in range(length))
