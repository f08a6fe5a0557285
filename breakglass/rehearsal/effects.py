"""Carrying out what a rule says: variables, Kubernetes objects, registries."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from breakglass.kubernetes_objects import Object, name_of, namespace_of
from breakglass.rehearsal.spec.effects import Effect, ObjectChange, RegistryChange
from breakglass.rehearsal.world import World, WorldFaultError, overlaid
from breakglass.runbook.expression import EvaluationError, evaluate
from breakglass.runbook.template import Template, render, render_tree
from breakglass.simulator.kubernetes.kinds import ResourceKind
from breakglass.simulator.kubernetes.statuses import ApiError
from breakglass.simulator.kubernetes.store import ObjectStore
from breakglass.values import Json, Scope

if TYPE_CHECKING:
    from breakglass.simulator.registry.store import RegistryStore


class Effects:
    """What rules can move in one rehearsal."""

    def __init__(
        self,
        world: World,
        stores: Mapping[str, ObjectStore],
        registries: "Mapping[str, RegistryStore]",
    ) -> None:
        self._world = world
        self._stores = stores
        self._registries = registries

    def apply(self, effect: Effect, scope: Scope, whose: str) -> dict[str, Json]:
        """Carry an effect out: variables first, each seen by the next, then objects, then registries.

        Gives what a registry said, as `collected`. Raises WorldFaultError.
        """
        said: dict[str, Json] = {}
        try:
            for each in effect.set:
                path = [render(part, scope) for part in each.path]
                self._world.assign(path, render_tree(each.value, scope))
            for change in effect.objects:
                self._change_objects(change, scope)
            for move in effect.registry:
                said["collected"] = self._move_registry(move, scope)
        except (EvaluationError, WorldFaultError, ApiError, ValueError) as error:
            raise WorldFaultError(f"{whose}: {error}") from error
        return said

    def _change_objects(self, change: ObjectChange, scope: Scope) -> None:
        if change.each is None:
            self._change_object(change, scope)
            return
        items = evaluate(change.each, scope)
        if not isinstance(items, list):
            raise WorldFaultError(f"each: {change.each.source} is not a list")
        for item in items:
            self._change_object(change, overlaid(scope, item=item))

    def _change_object(self, change: ObjectChange, scope: Scope) -> None:
        store = self._store(change.cluster)
        named = change.patch or change.delete
        if named is None:
            store.load([_mapping(render_tree(change.create, scope), "create")])
            return
        kind = _kind(store, render(named.kind, scope))
        namespace = _text(named.namespace, scope) if kind.namespaced else ""
        name = render(named.name, scope)
        if store.find(kind, namespace, name) is None:
            return
        if change.delete is not None:
            store.remove(kind, namespace, name)
        else:
            store.patch(kind, namespace, name, _mapping(render_tree(change.merge, scope), "with"))

    def _store(self, cluster: str | None) -> ObjectStore:
        if cluster is None and len(self._stores) == 1:
            return next(iter(self._stores.values()))
        if cluster is None or cluster not in self._stores:
            raise WorldFaultError(f"objects: name one of the clusters {', '.join(self._stores) or '(none)'}")
        return self._stores[cluster]

    def _move_registry(self, move: RegistryChange, scope: Scope) -> Json:
        registry = self._registries.get(move.endpoint)
        if registry is None:
            raise WorldFaultError(f"registry: endpoint {move.endpoint} is not a registry")
        if move.collect is not None:
            collect = move.collect
            return registry.collect(delete_untagged=collect.delete_untagged, dry_run=collect.dry_run)
        from breakglass.rehearsal.pushed_image import image_spec

        registry.push(image_spec(render_tree(move.push, scope)))
        return ""


def objects_by_plural(store: ObjectStore) -> dict[str, Json]:
    """All objects of a cluster by their plural, for expressions to read."""
    return {kind.plural: list(store.peek(kind.kind, group=kind.group)) for kind in store.kinds if kind.stored}


def address_of(value: Object) -> str:
    """`namespace/name`, or the name alone."""
    namespace = namespace_of(value)
    return f"{namespace}/{name_of(value)}" if namespace else name_of(value)


def _text(template: Template | None, scope: Scope) -> str:
    return "" if template is None else render(template, scope)


def _mapping(value: Json, what: str) -> Object:
    if not isinstance(value, dict):
        raise WorldFaultError(f"objects: {what} is not a mapping")
    return value


def _kind(store: ObjectStore, name: str) -> ResourceKind:
    for kind in store.kinds:
        if name in (kind.kind, kind.plural):
            return kind
    raise WorldFaultError(f"objects: the cluster has no kind {name!r}")
