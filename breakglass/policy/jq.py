"""What a program text of jq may do: nothing is known of it yet, so every text is objected to."""


def objection(program: str) -> str:
    """Why the text is not known to read, as a part of a sentence; the empty string when it only reads."""
    return f"this is not understood: {program[:40]}"
