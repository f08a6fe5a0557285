"""How the parts of a scenario are written in YAML; one declaration reads them and gives their JSON Schema."""
