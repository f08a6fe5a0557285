"""An image that a rule pushes, from what the rule says of it."""

import json
from pathlib import Path

from breakglass.rehearsal.spec.machines import Image
from breakglass.rehearsal.world import WorldFaultError
from breakglass.simulator.registry.images import ImageSpec
from breakglass.values import Json
from breakglass.yamlio.position import InvalidFileError
from breakglass.yamlio.record import shape_of
from breakglass.yamlio.shape import read_as
from breakglass.yamlio.source import parse


def image_spec(value: Json) -> ImageSpec:
    """An image that a rule describes. Raises WorldFaultError for one that is not described right."""
    try:
        return read_as(shape_of(Image), parse(json.dumps(value), Path("push")))
    except InvalidFileError as error:
        raise WorldFaultError(f"push: {error}") from error
