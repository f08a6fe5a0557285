"""Where the commands of a shell line end, quotes and substitutions aside.

Only for cutting a line into parts that are then judged whole by `breakglass/policy`; nothing is decided here.
"""

from collections.abc import Iterator, Sequence

_COMPOUND = ("for ", "while ", "until ", "if ", "case ", "{ ", "(", "[ ", "[[ ", "function ")


def joined(text: str) -> str:
    """The text with its continued lines on one."""
    return text.replace("\\\n", " ").strip()


def commands_of(text: str) -> list[list[str]]:
    """The pipelines of a line that run one after the other (`;`, `&&`, line ends), each as its commands.

    A line that chooses (`||`), loops or runs in the background is one command.
    """
    text = joined(text)
    if text.startswith(_COMPOUND) or "<<" in text:
        return [[text]]
    parts = list(cut(text, ("&&", "||", ";", "|", "&", "\n")))
    if any(sign in ("||", "&") for _, sign in parts):
        return [[text]]
    pipelines: list[list[str]] = [[]]
    for part, sign in parts:
        if part.strip():
            pipelines[-1].append(part.strip())
        if sign != "|":
            pipelines.append([])
    return [each for each in pipelines if each]


def cut(text: str, signs: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The parts of a text between signs outside quotes and brackets, each with the sign behind it."""
    start, index, depth, quote = 0, 0, 0, ""
    while index < len(text):
        character = text[index]
        if character == "\\" and quote != "'":
            index += 2
            continue
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"`":
            quote = character
        elif character in "({":
            depth += 1
        elif character in ")}":
            depth = max(0, depth - 1)
        elif not depth:
            sign = next((each for each in signs if text.startswith(each, index)), "")
            beside = text[index - 1 : index] in ("<", ">") or (
                sign == "&" and text[index + 1 : index + 2] == ">"
            )
            if sign and not beside:
                yield text[start:index], sign
                index += len(sign)
                start = index
                continue
        index += 1
    yield text[start:], ""


def substitution(text: str) -> tuple[str, str, str] | None:
    """The text before the first `$( )`, what stands in it, and the text behind it."""
    start = text.find("$(")
    if start < 0 or text.startswith("$((", start):
        return None
    depth, quote = 0, ""
    for index in range(start + 1, len(text)):
        character = text[index]
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character == "(":
            depth += 1
        elif character == ")":
            depth -= 1
            if depth == 0:
                return text[:start], text[start + 2 : index].strip(), text[index + 1 :]
    return None
