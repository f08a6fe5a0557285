"""What a change would make of an object, line by line, without what the server writes itself."""

from difflib import unified_diff

from breakglass.kubernetes_objects import Object, mapping, text
from breakglass.transport.kubectl.printing import as_yaml

OF_THE_SERVER = ("managedFields", "resourceVersion", "generation", "creationTimestamp", "uid", "selfLink")
AROUND = 2
HIDDEN, BEFORE, AFTER = "***", "*** (before)", "*** (after)"


def difference(before: Object | None, after: Object) -> list[str]:
    """The lines that differ, with a few around them; `no change` where none does. before: None for an object
    that is not there. Of a Secret no value is shown, only which of them change."""
    old, new = (None if before is None else _own(before)), _own(after)
    if text(after, "kind") == "Secret":
        old, new = _hidden(old, new, BEFORE), _hidden(new, old or {}, AFTER)
    lines = unified_diff(_lines(old), _lines(new), n=AROUND, lineterm="")
    return [line for line in list(lines)[2:] if not line.startswith("@@")] or ["no change"]


def _own(value: Object) -> Object:
    metadata = {name: each for name, each in mapping(value, "metadata").items() if name not in OF_THE_SERVER}
    return {**{name: each for name, each in value.items() if name != "status"}, "metadata": metadata}


def _lines(value: Object | None) -> list[str]:
    return as_yaml(value).splitlines() if value else []


def _hidden(value: Object | None, other: Object | None, changed: str) -> Object:
    """A secret with marks in place of its values, and without annotations, which may hold all of it."""
    if value is None:
        return {}
    metadata = {name: each for name, each in mapping(value, "metadata").items() if name != "annotations"}
    hidden: Object = {**value, "metadata": metadata}
    for field in ("data", "stringData"):
        if field in value:
            there = mapping(other, field)
            hidden[field] = {
                name: HIDDEN if there.get(name) == each else changed
                for name, each in mapping(value, field).items()
            }
    return hidden
