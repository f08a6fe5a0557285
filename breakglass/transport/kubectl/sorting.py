"""The order of `kubectl get --sort-by`.

Source: `staging/src/k8s.io/kubectl/pkg/cmd/get/sorter.go` of Kubernetes 1.34: what has no such field comes
first, quantities by their size, other texts by their bytes, and what is equal stays as it was.
"""

import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TypeAlias, TypeVar

from breakglass.kubernetes_objects import Object, at
from breakglass.transport.kubectl.faults import refused_here
from breakglass.transport.kubectl.run import KubectlRun
from breakglass.values import Json

FieldPath: TypeAlias = tuple[str | int, ...]
T = TypeVar("T")

_QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d+)|(Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE])?)")
_UNITS = {
    **{
        unit: Decimal(1000) ** power for power, unit in enumerate(("n", "u", "m", "", "k", "M", "G", "T"), -3)
    },
    "P": Decimal(1000) ** 5,
    "E": Decimal(1000) ** 6,
    **{f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", 1)},
}
Rank: TypeAlias = tuple[int, Decimal, bytes]


def sorted_by(run: KubectlRun, path: FieldPath, items: Sequence[T], value: Callable[[T], Object]) -> list[T]:
    """The items in the order of a field. Raises FaultError where none has it."""
    found = [at(value(item), *path) for item in items]
    if items and all(each is None for each in found):
        shown = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
        said = f'error: couldn\'t find any field with path "{{{shown}}}" in the list of objects'
        raise refused_here("rejected", f"{run.where}: no object has the field {shown}", said)
    sizes = all(quantity(each) is not None for each in found if each is not None)
    order = sorted(range(len(items)), key=lambda index: _rank(found[index], sizes))
    return [items[index] for index in order]


def _rank(value: Json, sizes: bool) -> Rank:
    if value is None:
        return 0, Decimal(), b""
    if sizes:
        return 1, quantity(value) or Decimal(), b""
    return 1, Decimal(), str(value).encode()


def quantity(value: Json) -> Decimal | None:
    """The size of a number or a quantity, such as `1500m` or `2Gi`; None for another text."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return Decimal(str(value))
    match = _QUANTITY.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    return Decimal(match[1] + (match[2] or "")) * _UNITS[match[3] or ""]
