"""The JSON Schema of runbooks, for editors. It is made from the same declarations that read them."""

from breakglass.runbook.model import Runbook
from breakglass.values import Json
from breakglass.yamlio.record import shape_of
from breakglass.yamlio.shape import schema_of


def runbook_schema() -> dict[str, Json]:
    """JSON Schema, draft 2020-12. It knows keys and types; what parts mean together, only `lint` knows."""
    return schema_of(shape_of(Runbook), "A breakglass runbook")
