"""Text in columns, as `kubectl describe` aligns it, and how it writes times, labels and selectors.

Source: Go's `text/tabwriter` with a padding of two, and `PrefixWriter` of
`staging/src/k8s.io/kubectl/pkg/describe/describe.go`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime

from breakglass.kubernetes_objects import Object, mapping, objects, text
from breakglass.transport.kubectl.event_times import moment
from breakglass.values import Json

NONE = "<none>"
UNSET = "<unset>"
PADDING = 2
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
LONGEST_ANNOTATION = 140


@dataclass
class Sheet:
    """Lines that are being written. A tab ends a cell; cells above one another are as wide as the widest."""

    lines: list[str] = field(default_factory=list[str])

    def add(self, line: str = "", level: int = 0) -> None:
        """A line, indented by two blanks a level."""
        self.lines.append("  " * level + line)

    def field(self, name: str, value: Json, level: int = 0) -> None:
        self.add(f"{name}:\t{shown(value)}", level)

    def block(self, title: str, rows: Iterable[str], level: int = 0) -> None:
        """A title with values below one another; `<none>` where there is no value."""
        indent = "  " * level
        for index, row in enumerate(list(rows) or [NONE]):
            self.lines.append(f"{indent}{title}:\t{row}" if not index else f"{indent}\t{row}")

    def labels(self, title: str, labels: Json, level: int = 0) -> None:
        self.block(title, pairs(labels), level)

    def annotations(self, found: Json, level: int = 0) -> None:
        """Annotations, the long ones cut, without what `kubectl apply` remembers."""
        rows: list[str] = []
        for name, value in sorted(mapping(found).items()):
            if name == LAST_APPLIED:
                continue
            kept = str(value).removesuffix("\n")
            if len(value_bytes(kept)) + len(name) + 2 > LONGEST_ANNOTATION or "\n" in kept:
                rows += [f"{name}:", *(f"  {_cut(part)}" for part in kept.split("\n"))]
            else:
                rows.append(f"{name}: {kept}")
        # Only the first line is indented, as kubectl does it.
        for index, row in enumerate(rows or [NONE]):
            self.lines.append(f"{'  ' * level}Annotations:\t{row}" if not index else f"\t{row}")

    def text(self) -> str:
        """All of it, aligned, each line ended."""
        whole = "\n".join(self.lines).replace("\x1b", "^[").replace("\r", "\\r")
        rows = [line.split("\t") for line in whole.split("\n")]
        column, wide = 0, list(enumerate(rows))
        while wide := [(index, row) for index, row in wide if len(row) > column + 1]:
            start = 0
            for end in range(1, len(wide) + 1):
                if end < len(wide) and wide[end][0] == wide[end - 1][0] + 1:
                    continue
                width = max(len(row[column]) for _, row in wide[start:end]) + PADDING
                for _, row in wide[start:end]:
                    row[column] = row[column].ljust(width)
                start = end
            column += 1
        return "".join("".join(row) + "\n" for row in rows)


def shown(value: Json) -> str:
    """A value as Go writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"[{' '.join(shown(each) for each in value)}]"
    return "<nil>" if value is None else str(value)


def value_bytes(value: str) -> bytes:
    return value.encode("utf-8", "surrogatepass")


def _cut(value: str) -> str:
    limit = LONGEST_ANNOTATION - 2
    raw = value_bytes(value)
    return raw[:limit].decode("utf-8", "ignore") + "..." if len(raw) > limit else value


def pairs(found: Json) -> list[str]:
    return [f"{name}={value}" for name, value in sorted(mapping(found).items())]


def joined(found: Json) -> str:
    """Labels in one line."""
    return ",".join(pairs(found)) or NONE


def when(value: Json) -> str:
    """A time as kubectl writes it, in the zone of this machine; that of year 1 where it is not said."""
    found = moment(value) if isinstance(value, str) else None
    return format_datetime(found.astimezone() if found is not None else datetime(1, 1, 1, tzinfo=UTC))


def controller_of(value: Object) -> str:
    """What made an object and looks after it; empty where nothing does."""
    for owner in objects(value, "metadata", "ownerReferences"):
        if owner.get("controller") is True:
            return f"{text(owner, 'kind')}/{text(owner, 'name')}"
    return ""


def is_controlled_by(value: Object, uid: str) -> bool:
    owners = objects(value, "metadata", "ownerReferences")
    return any(owner.get("controller") is True and text(owner, "uid") == uid for owner in owners)
