"""Objects as the API prints them in a `Table`, the form in which `kubectl get` asks for them.

Source: `pkg/printers/internalversion/printers.go` of Kubernetes 1.34; the columns of each kind are in
`columns.py`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from breakglass.kubectl_age import human_duration
from breakglass.kubernetes_objects import Object, at, mapping, objects, text
from breakglass.simulator.kubernetes.kinds import ResourceKind
from breakglass.simulator.kubernetes.objects import moment
from breakglass.values import Json

Cell: TypeAlias = Callable[[Object, datetime], Json]


@dataclass(frozen=True, slots=True)
class Column:
    """One column. A wide one is only shown by `-o wide`."""

    title: str
    cell: Cell
    type: str = "string"
    wide: bool = False


def since(written: Json, now: datetime) -> str:
    """The time from an API timestamp until now."""
    then = moment(written)
    return "<unknown>" if then is None else human_duration((now - then).total_seconds())


def age(value: Object, now: datetime) -> Json:
    return since(text(value, "metadata", "creationTimestamp"), now)


def table(
    values: Sequence[Object],
    columns: Sequence[Column],
    now: datetime,
    *,
    metadata: Object,
    include: str = "Metadata",
    with_columns: bool = True,
) -> Object:
    """A Table. `include` is the query's `includeObject`: None, Metadata or Object."""
    definitions: list[Json] = [
        {
            "name": column.title,
            "type": column.type,
            "format": "name" if column.title == "Name" else "",
            "description": "",
            "priority": 1 if column.wide else 0,
        }
        for column in columns
    ]
    rows: list[Json] = []
    for value in values:
        row: Object = {"cells": [column.cell(value, now) for column in columns]}
        if include == "Object":
            row["object"] = value
        elif include != "None":
            row["object"] = partial_metadata(value)
        rows.append(row)
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": definitions if with_columns else [],
        "rows": rows,
    }


def partial_metadata(value: Object) -> Object:
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": mapping(value, "metadata"),
    }


def custom_columns(kind: ResourceKind) -> list[Column]:
    """A scenario's own columns: paths such as `spec.refreshInterval` or `status.conditions.Ready.status`,
    where a list is entered by the `type` or `name` of its entry."""
    return [Column(title, _by_path(path)) for title, path in kind.columns]


def _by_path(path: str) -> Cell:
    def cell(value: Object, now: datetime) -> Json:
        found: Json = value
        for part in path.split("."):
            if isinstance(found, list):
                named = (entry for entry in objects(found) if part in (entry.get("type"), entry.get("name")))
                found = next(named, None)
            else:
                found = at(found, part)
        return found if isinstance(found, str | int | float | bool) else ""

    return cell
