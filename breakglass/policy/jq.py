"""Which programs of jq only compute on their input. jq writes no files and runs no programs; what is left out
is what reads a module (`import`, `include`), shows the environment (`env`), or is not known.

Only the order of terms and operators is parsed, not which operator binds more tightly.
"""

import re

from breakglass.policy.program_text import ProgramTextError, not_understood, objection_of
from breakglass.policy.token_parser import Token, TokenParser, words

FUNCTIONS = words(
    """
    true false null not empty error input inputs
    length utf8bytelength keys keys_unsorted has in inside contains values type add any all isempty
    first last nth limit skip range until while repeat recurse recurse_down walk select map map_values
    path paths leaf_paths pick del delpaths getpath setpath to_entries from_entries with_entries toarray
    sort sort_by group_by unique unique_by min min_by max max_by reverse flatten transpose combinations
    bsearch index indices rindex IN INDEX
    arrays objects iterables booleans numbers normals finites strings nulls scalars
    tostring tonumber tojson fromjson ascii ascii_downcase ascii_upcase explode implode split splits join
    startswith endswith ltrimstr rtrimstr trimstr trim ltrim rtrim test match capture scan sub gsub
    abs ceil exp exp10 exp2 fabs floor infinite isinfinite isnan isnormal isvalid log log10 log2 nan pow
    round sqrt trunc
    now date dateadd datesub fromdate fromdateiso8601 todate todateiso8601 gmtime localtime mktime strftime
    strflocaltime strptime
    """
)
FORMATS = words("text json html uri csv tsv sh base64 base64d base32 base32d")

REFUSED = {
    "env": "`env` shows the environment",
    "$ENV": "`$ENV` shows the environment",
    "import": "`import` reads a module",
    "include": "`include` reads a module",
}
KEYWORDS = words(
    "def if then elif else end as reduce foreach try catch label break and or import include module"
)
OPERATORS = words("| , // = |= += -= *= /= %= //= == != < <= > >= + - * / % and or")

_BLANKS = re.compile(r"[ \t\n]+|#[^\n]*")
_TOKEN = re.compile(
    r"""(?P<number>(?:[0-9]++(?:\.[0-9]*+)?+|\.[0-9]++)(?:[eE][+-]?+[0-9]++)?+(?![A-Za-z0-9_]))
    | (?P<field>\.[A-Za-z_][A-Za-z0-9_]*)
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*+(?!::))
    | (?P<variable>\$[A-Za-z_][A-Za-z0-9_]*+(?!::))
    | (?P<format>@[A-Za-z0-9_]+)
    | (?P<operator>//=|[|+\-*/%=!<>]=|//|\.\.|["|,.\[\](){}:;=<>+\-*/%?])
    """,
    re.VERBOSE,
)
_LITERAL = re.compile(r'(?:[^"\\]|\\["\\/bfnrt]|\\u[0-9A-Fa-f]{4})*')


Names = frozenset[tuple[str, int]]
"""Functions that the program itself defines, with their number of parameters."""


def objection(program: str) -> str:
    """Why the text is not known to read, as a part of a sentence; the empty string when it only reads."""
    return objection_of(lambda text: _JqParser(text).program(), program)


def _token(program: str, at: int) -> Token:
    """The token at or behind this place."""
    while blanks := _BLANKS.match(program, at):
        if blanks[0].startswith("#") and blanks[0].endswith("\\"):
            raise ProgramTextError("a comment ends in a backslash")
        at = blanks.end()
    if at == len(program):
        return Token("", "", at)
    found = _TOKEN.match(program, at)
    if found is None:
        raise not_understood(program, at)
    kind = found.lastgroup or ""
    plain = kind == "operator" or (kind == "name" and found[0] in KEYWORDS)
    return Token(found[0] if plain else kind, found[0], at)


class _JqParser(TokenParser):
    """Goes down from pipes to terms. Numbers, names, variables, fields and formats are kinds of tokens."""

    def scan(self, at: int, before: str) -> Token:
        return _token(self.text, at)

    # Pipes

    def program(self) -> None:
        if self.token.text:
            self.pipe(frozenset())
        if self.token.text:
            raise self.refuse()

    def pipe(self, names: Names, comma: bool = True) -> None:
        """Terms with operators between them. Without `comma`, a `,` ends it."""
        self.deeper()
        while True:
            if self.sees("def"):
                names |= {self.definition(names)}
                continue
            if self.take("label"):
                self.binding()
                self.expect("|")
                continue
            self.term(names)
            if self.take("as"):
                self.pattern(names)
                self.expect("|")
                continue
            if not self.sees(*OPERATORS) or (self.sees(",") and not comma):
                break
            self.advance()
        self.depth -= 1

    def definition(self, names: Names) -> tuple[str, int]:
        """`def name(parameters): body;`. The parameters are known in the body only."""
        self.expect("def")
        name = self.expect("name").text
        parameters: list[str] = []
        if self.take("("):
            parameters.append(self.parameter())
            while self.take(";"):
                parameters.append(self.parameter())
            self.expect(")")
        self.expect(":")
        itself = (name, len(parameters))
        self.pipe(names | {itself} | {(parameter, 0) for parameter in parameters})
        self.expect(";")
        return itself

    def parameter(self) -> str:
        return self.binding() if self.sees("variable") else self.expect("name").text

    def binding(self) -> str:
        """Take `$name`; the name."""
        return self.expect("variable").text[1:]

    # Terms

    def term(self, names: Names) -> None:
        """One operand with its signs and with what is looked up in it."""
        self.deeper()
        while self.take("-"):
            pass
        self.head(names)
        while self.suffix(names):
            pass
        self.depth -= 1

    def head(self, names: Names) -> None:
        if self.token.text in REFUSED and not self.sees("field"):
            raise ProgramTextError(REFUSED[self.token.text])
        match self.token.kind:
            case "number" | "field" | "..":
                self.advance()
            case ".":
                self.advance()
                if self.sees('"'):
                    self.string(names)
            case '"':
                self.string(names)
            case "format":
                self.format()
                if self.sees('"'):
                    self.string(names)
            case "variable":
                self.variable()
            case "(":
                self.advance()
                self.pipe(names)
                self.expect(")")
            case "[":
                self.advance()
                if not self.take("]"):
                    self.pipe(names)
                    self.expect("]")
            case "{":
                self.object(names)
            case "name":
                self.call(names)
            case _:
                self.keyword(names)

    def keyword(self, names: Names) -> None:
        match self.token.kind:
            case "if":
                self.condition(names)
            case "try":
                self.advance()
                self.term(names)
                if self.take("catch"):
                    self.term(names)
            case "reduce" | "foreach":
                self.advance()
                self.term(names)
                self.expect("as")
                self.pattern(names)
                self.expect("(")
                self.arguments(names)
            case "break":
                self.advance()
                self.binding()
            case _:
                raise self.refuse()

    def suffix(self, names: Names) -> bool:
        """Take `.name`, `."name"`, `[…]` or `?` behind a term; whether there was one."""
        match self.token.kind:
            case "field" | "?":
                self.advance()
            case ".":
                self.advance()
                if self.sees('"'):
                    self.string(names)
                else:
                    self.lookup(names)
            case "[":
                self.lookup(names)
            case _:
                return False
        return True

    def lookup(self, names: Names) -> None:
        """`[]`, `[index]`, `[from:to]`, `[from:]` or `[:to]`."""
        self.expect("[")
        if self.take("]"):
            return
        if not self.sees(":"):
            self.pipe(names)
        if self.take(":") and not self.sees("]"):
            self.pipe(names)
        self.expect("]")

    def condition(self, names: Names) -> None:
        while self.take("if", "elif"):
            self.pipe(names)
            self.expect("then")
            self.pipe(names)
        if self.take("else"):
            self.pipe(names)
        self.expect("end")

    def call(self, names: Names) -> None:
        name = self.expect("name").text
        count = self.arguments(names) if self.take("(") else 0
        if name not in FUNCTIONS and (name, count) not in names:
            raise ProgramTextError(f"`{name}` is not a function that is known")

    def arguments(self, names: Names) -> int:
        """What stands in the parentheses of a call, behind the first of them; how many arguments."""
        count = 1
        self.pipe(names)
        while self.take(";"):
            self.pipe(names)
            count += 1
        self.expect(")")
        return count

    def variable(self) -> None:
        if self.token.text in REFUSED:
            raise ProgramTextError(REFUSED[self.token.text])
        if self.token.text.startswith("$__") and self.token.text != "$__loc__":
            raise self.refuse()
        self.expect("variable")

    def format(self) -> None:
        if self.token.text[1:] not in FORMATS:
            raise self.refuse()
        self.expect("format")

    def string(self, names: Names) -> None:
        """A string, with a pipe in each of its `\\(…)`."""
        start = self.token.at
        at = start + 1
        while True:
            literal = _LITERAL.match(self.text, at)
            at = literal.end() if literal else at
            if self.text.startswith('"', at):
                self.token = _token(self.text, at + 1)
                return
            if not self.text.startswith("\\(", at):
                raise not_understood(self.text, start)
            self.token = _token(self.text, at + 2)
            self.pipe(names)
            if not self.sees(")"):
                raise self.refuse()
            at = self.token.at + 1

    def object(self, names: Names) -> None:
        self.expect("{")
        if self.take("}"):
            return
        self.entry(names)
        while self.take(","):
            self.entry(names)
        self.expect("}")

    def entry(self, names: Names) -> None:
        """`key: value`, or a key alone, which stands for the value of that name."""
        if self.sees("variable"):
            self.variable()
        elif self.key(names):
            self.expect(":")
            self.pipe(names, comma=False)
            return
        if self.take(":"):
            self.pipe(names, comma=False)

    def key(self, names: Names) -> bool:
        """Take a key of an object; whether a value must follow."""
        if self.take("("):
            self.pipe(names)
            self.expect(")")
            return True
        if self.sees("format"):
            self.format()
        if self.sees('"'):
            self.string(names)
        elif not self.take("name", *KEYWORDS):
            raise self.refuse()
        return False

    def pattern(self, names: Names) -> None:
        """What `as` takes apart: `$name`, `[pattern, …]` or `{key: pattern, …}`."""
        self.deeper()
        if self.take("["):
            self.pattern(names)
            while self.take(","):
                self.pattern(names)
            self.expect("]")
        elif self.take("{"):
            self.pattern_entry(names)
            while self.take(","):
                self.pattern_entry(names)
            self.expect("}")
        else:
            self.binding()
        self.depth -= 1

    def pattern_entry(self, names: Names) -> None:
        if self.sees("variable"):
            self.binding()
            if not self.take(":"):
                return
        else:
            self.key(names)
            self.expect(":")
        self.pattern(names)
