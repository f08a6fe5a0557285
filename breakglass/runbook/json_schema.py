"""The JSON Schema of runbooks, for editors. It is made from the same shapes that read them."""

from breakglass.runbook.load import RUNBOOK
from breakglass.values import Json
from breakglass.yamlio.shape import schema_of


def runbook_schema() -> dict[str, Json]:
    """JSON Schema, draft 2020-12. It knows keys and types; what parts mean together, only `lint` knows."""
    return schema_of(RUNBOOK, "A breakglass runbook")
