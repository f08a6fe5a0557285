"""The JSON Schema of a file, for editors and other tools. Each shape writes its own part: `Shape.schema`."""

from breakglass.values import Json
from breakglass.yamlio.shape_base import Definitions, Schema, Shape, T


def schema_of(shape: Shape[T], title: str) -> Schema:
    """A whole JSON Schema (draft 2020-12) for files of this shape."""
    definitions: Definitions = {}
    body = shape.schema(definitions)
    dialect = "https://json-schema.org/draft/2020-12/schema"
    named: Json = {name: definitions[name] for name in sorted(definitions)}
    return {"$schema": dialect, "title": title, **body, "$defs": named}
