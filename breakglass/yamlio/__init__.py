"""YAML with positions: composing, the shapes that a file may have, and their JSON Schema."""
