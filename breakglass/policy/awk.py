"""Which programs of awk only read: those that select, count and print to standard output.

Only the order of operands and operators is parsed, not which operator binds more tightly: no operator that is
known here can do more than compute.
"""

from breakglass.policy.awk_tokens import FUNCTIONS, STEPS, token
from breakglass.policy.program_text import ProgramTextError, objection_of
from breakglass.policy.token_parser import Token, TokenParser, words

REPLACING = frozenset(("sub", "gsub"))
"""Functions that assign to their third argument."""

REFUSED = {
    "system": "`system` runs a program",
    "close": "`close` ends a file or a program",
    "ARGV": "`ARGV` names the files that are read",
    "ARGC": "`ARGC` names the files that are read",
}
UNKNOWN = words(
    """
    BEGINFILE ENDFILE FUNCTAB SYMTAB TEXTDOMAIN _ bindtextdomain case dcgettext dcngettext default extension
    func function intdiv intdiv0 isarray mkbool patsplit return switch typeof
    """
)
"""Names that are more than a variable in one of the programs, and that are not followed here."""

NOT_ASSIGNED = frozenset(("CONVFMT", "OFMT", "ENVIRON"))
"""Variables that are only read: mawk hands the first two to the C library's printf as they are, and gawk puts
the last into the environment. Of that, one variable may be read."""

ASSIGNMENTS = words("= += -= *= /= %= ^=")
BINARY = words("+ - * / % ^ < <= == != >= ~ !~")
PREFIXES = words("! - +")
STATEMENT_ENDS = frozenset((";", "\n", "}", ""))


def objection(program: str) -> str:
    """Why the text is not known to read, as a part of a sentence; the empty string when it only reads."""
    return objection_of(lambda text: _AwkParser(text).program(), program)


class _AwkParser(TokenParser):
    """Goes down from rules to operands."""

    def scan(self, at: int, before: str) -> Token:
        return token(self.text, at, before)

    def newlines(self) -> None:
        while self.take("\n"):
            pass

    # Rules and statements

    def program(self) -> None:
        while self.token.text:
            if not self.take("\n", ";"):
                self.rule()

    def rule(self) -> None:
        if self.take("BEGIN", "END"):
            if not self.sees("{"):
                raise self.refuse()
        elif not self.sees("{"):
            self.expression()
            if self.take(","):
                self.newlines()
                self.expression()
        if self.sees("{"):
            self.block()
        elif not self.sees("\n", ";", ""):
            raise self.refuse()

    def block(self) -> None:
        self.expect("{")
        self.deeper()
        while not self.take("}"):
            if not self.take("\n", ";"):
                self.statement()
        self.depth -= 1

    def statement(self) -> None:
        """One statement with its end, except for a `}` that closes the block around it."""
        self.deeper()
        match self.token.kind:
            case "{":
                self.block()
            case ";":
                self.advance()
            case "if":
                self.advance()
                self.condition()
                self.body()
                self.otherwise()
            case "while":
                self.advance()
                self.condition()
                self.body()
            case "do":
                self.advance()
                self.body()
                self.separators()
                self.expect("while")
                self.condition()
                self.statement_end()
            case "for":
                self.advance()
                self.for_head()
                self.body()
            case _:
                self.simple_statement()
                self.statement_end()
        self.depth -= 1

    def body(self) -> None:
        self.newlines()
        self.statement()

    def otherwise(self) -> None:
        self.separators()
        if self.take("else"):
            self.body()

    def separators(self) -> None:
        while self.take("\n", ";"):
            pass

    def condition(self) -> None:
        self.expect("(")
        self.expression()
        self.expect(")")

    def for_head(self) -> None:
        self.expect("(")
        first = self.token
        if first.kind != ";":
            self.expression()
        if self.sees(")") and first.text not in NOT_ASSIGNED:
            # `for (key in array)`: its head is an expression too.
            self.advance()
            return
        self.expect(";")
        self.newlines()
        if not self.sees(";"):
            self.expression()
        self.expect(";")
        self.newlines()
        if not self.sees(")"):
            self.expression()
        self.expect(")")

    def statement_end(self) -> None:
        if not self.sees(*STATEMENT_ENDS):
            raise self.refuse()
        self.take(";", "\n")

    def simple_statement(self) -> None:
        match self.token.kind:
            case "next" | "nextfile" | "break" | "continue":
                self.advance()
            case "exit":
                self.advance()
                if not self.sees(*STATEMENT_ENDS):
                    self.expression()
            case "delete":
                self.advance()
                self.array()
                if self.take("["):
                    self.expressions("]")
            case "print" | "printf":
                self.advance()
                self.print_arguments()
            case _:
                self.expression()

    def print_arguments(self) -> None:
        """What is printed. A `>` outside parentheses writes a file, wherever in the list it stands."""
        self.no_redirection(printing=True)
        if self.sees(*STATEMENT_ENDS):
            return
        self.expression(printing=True)
        while self.take(","):
            self.newlines()
            self.expression(printing=True)

    # Expressions

    def expressions(self, closing: str, printing: bool = False) -> int:
        """Expressions with commas between them, and what closes them; how many they are."""
        count = 1
        self.expression(printing)
        while self.take(","):
            self.newlines()
            self.expression(printing)
            count += 1
        self.expect(closing)
        return count

    def expression(self, printing: bool = False) -> bool:
        """Operands with operators between them; whether it is only something that can be assigned to.

        `printing` says that a `>` here would be read as the redirection of a `print`.
        """
        self.deeper()
        alone = True
        while True:
            assignable = self.operand(printing)
            if not self.operator(assignable, printing):
                self.depth -= 1
                return alone and assignable
            alone = False

    def operator(self, assignable: bool, printing: bool) -> bool:
        """Take what joins two operands, which may be nothing; whether an operand follows."""
        while self.take("in"):
            self.array()
            assignable = False
        self.no_redirection(printing)
        if self.sees(*ASSIGNMENTS):
            if not assignable:
                raise self.refuse()
            self.advance()
            return True
        if self.take("&&", "||"):
            self.newlines()
            return True
        if self.take(*BINARY, ">"):
            return True
        if self.take("?"):
            self.expression(printing)
            self.expect(":")
            return True
        # Nothing between two operands joins their texts.
        return self.token.kind in ("name", "number", "string", "$", "(") or self.sees(*FUNCTIONS)

    def operand(self, printing: bool) -> bool:
        """One operand with its signs; whether it can be assigned to."""
        while self.take(*PREFIXES):
            pass
        step = self.take(*STEPS)
        assignable = self.primary(printing)
        if step and not assignable:
            raise self.refuse()
        if self.sees(*STEPS):
            if not assignable:
                raise self.refuse()
            self.advance()
            return False
        return assignable and not step

    def primary(self, printing: bool) -> bool:
        match self.token.kind:
            case "number" | "string" | "regex":
                self.advance()
                return False
            case "name":
                return self.variable(printing)
            case "$":
                self.field(printing)
                return True
            case "(":
                self.group(printing)
                return False
            case "getline":
                self.getline()
                return False
            case kind if kind in FUNCTIONS:
                self.call()
                return False
            case _:
                raise self.refuse()

    def variable(self, printing: bool) -> bool:
        """A variable or an element of an array; whether it can be assigned to."""
        name = self.name()
        if self.take("["):
            # mawk counts parentheses only, so that a `>` in brackets redirects as well.
            self.expressions("]", printing)
        elif name == "ENVIRON":
            raise ProgramTextError("`ENVIRON` as a whole is the environment")
        return name not in NOT_ASSIGNED

    def array(self) -> None:
        if self.name() in NOT_ASSIGNED:
            raise ProgramTextError("`ENVIRON` as a whole is the environment")

    def name(self) -> str:
        """Take the name of a variable: one that is nothing else in any of the programs."""
        token = self.token
        if token.text in REFUSED:
            raise ProgramTextError(REFUSED[token.text])
        if token.text in UNKNOWN:
            raise self.refuse()
        self.expect("name")
        if self.sees("("):
            raise ProgramTextError(f"`{token.text}` is not a function that is known")
        return token.text

    def field(self, printing: bool) -> None:
        self.expect("$")
        self.deeper()
        self.take(*PREFIXES)
        if self.take(*STEPS):
            if not self.variable(printing):
                raise self.refuse()
        else:
            self.primary(printing)
        self.depth -= 1

    def group(self, printing: bool) -> None:
        """What stands in parentheses: an expression, the subscripts before `in`, or all that is printed."""
        self.expect("(")
        if self.expressions(")") > 1:
            self.no_redirection(printing)
            if not self.sees("in", *STATEMENT_ENDS):
                raise self.refuse()

    def no_redirection(self, printing: bool) -> None:
        if printing and self.token.text.startswith(">"):
            raise ProgramTextError("`>` writes a file")

    def call(self) -> None:
        """A call of a known function. `length` needs no parentheses."""
        name = self.advance().text
        if not self.sees("("):
            if name != "length":
                raise self.refuse()
            return
        self.advance()
        if self.take(")"):
            return
        arguments = [self.expression()]
        while self.take(","):
            self.newlines()
            arguments.append(self.expression())
        self.expect(")")
        if name in REPLACING and len(arguments) > 2 and not arguments[2]:
            raise ProgramTextError(f"`{name}` assigns to what is not a variable")

    def getline(self) -> None:
        """`getline` or `getline variable`, which take the next line of the input, and nothing after them."""
        self.expect("getline")
        if self.sees("name") and self.name() in NOT_ASSIGNED:
            raise self.refuse()
        if self.sees("<"):
            raise ProgramTextError("`getline <` reads another file")
        if not self.sees(")", *STATEMENT_ENDS):
            raise self.refuse()
