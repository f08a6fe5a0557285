"""What may stand in `[[ … ]]` so that it runs nothing, whichever shell reads it.

bash and zsh evaluate the operands of `-eq` and its like as arithmetic, and `-v` looks up a subscript: both
run the commands in a text such as `a[$(…)]`. dash knows no `[[` and takes it for a program, so that an
operator such as && or < within it would be the shell's.
"""

import re
from collections.abc import Sequence

from breakglass.policy.shell_words import ShellSyntaxError, ShellWord, expand_braces

_UNARY = re.compile(r"-[abcdefghknprstuwxzGLNOS]")
_TEXT_COMPARISONS = frozenset(("=", "==", "!=", "=~", "-nt", "-ot", "-ef"))
_NUMBER_COMPARISONS = frozenset(("-eq", "-ne", "-lt", "-le", "-gt", "-ge"))
_NUMBER = re.compile(r"-?[0-9]{1,18}")


def refuse_unknown_condition(words: Sequence[ShellWord]) -> None:
    """Refuse, with ShellSyntaxError, the words of a `[[ … ]]` that are not a single known test."""
    for word in words:
        if expand_braces(word) is not None:
            raise ShellSyntaxError("braces within [[ … ]] are not understood; quote them", word.offset)
    if words[-1].bare != "]]":
        raise ShellSyntaxError("[[ must end with ]], with no operator between them", words[0].offset)
    operands = words[1:-1]
    if operands and operands[0].bare == "!":
        operands = operands[1:]
    if not _known(operands):
        message = 'this test is not understood within [[ … ]]; write [ "$x" -gt 5 ], and join tests outside'
        raise ShellSyntaxError(message, words[0].offset)


def _known(operands: Sequence[ShellWord]) -> bool:
    match operands:
        case [word]:
            return not word.bare.startswith("-") and word.bare != "!"
        case [operator, _]:
            return _UNARY.fullmatch(operator.bare) is not None
        case [left, operator, right] if operator.bare in _NUMBER_COMPARISONS:
            return all(_NUMBER.fullmatch(word.bare) for word in (left, right))
        case [left, operator, _]:
            return operator.bare in _TEXT_COMPARISONS and not left.bare.startswith("-") and left.bare != "!"
        case _:
            return False
