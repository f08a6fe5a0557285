"""Program texts of sed, awk and jq for the oracle: of a wide grammar, harmful ones among them; cut from known
ones and put together anew; and pieces in any order."""

from collections.abc import Sequence

from hypothesis import strategies as st

Text = st.SearchStrategy[str]


def mostly(usual: Text, odd: Text) -> Text:
    """The odd one in one of ten."""
    return st.integers(0, 9).flatmap(lambda number: usual if number else odd)


def one_of(words: str, odd: str = "") -> Text:
    """One of the words of a text, seldom an odd one."""
    usual = st.sampled_from(words.split())
    return mostly(usual, st.sampled_from(odd.split())) if odd else usual


def joined(*parts: Text | str) -> Text:
    """The parts one after the other."""
    strategies = [st.just(part) if isinstance(part, str) else part for part in parts]
    return st.tuples(*strategies).map("".join)


def several(part: Text, most: int, between: str = "", least: int = 0) -> Text:
    return st.lists(part, min_size=least, max_size=most).map(between.join)


def maybe(part: Text) -> Text:
    return st.one_of(st.just(""), st.just(""), part)


def spliced(harmful: Sequence[str], everyday: Sequence[str], pieces: Text) -> Text:
    """Known programs, joined and cut, with pieces in the cuts."""

    @st.composite
    def splice(draw: st.DrawFn) -> str:
        known = st.sampled_from([*harmful, *everyday])
        text = draw(known)
        if draw(st.booleans()):
            text += draw(pieces) + draw(st.sampled_from(harmful))
        for _ in range(draw(st.sampled_from((1, 1, 1, 2, 3)))):
            start = draw(st.integers(0, len(text)))
            end = min(len(text), start + draw(st.sampled_from((0, 0, 0, 1, 2, 5))))
            text = text[:start] + draw(pieces) + text[end:]
        return text

    return splice()


# sed

SED_HARMFUL = [
    "w f",
    "$w f",
    "W f",
    "1e f",
    "e",
    "1!e",
    "s,a,b,w f",
    "s/a/b/we f",
    "s/f/f/e",
    "s/.*/f/e",
    "s|z||;s|f|f|e",
    "s/x/y/w f\np",
    "/a/{w f\n}",
    "/f/!{s/./f/e}",
    "a x\nw f",
    "y/a/b/;w f",
    ":a;s/x/y/;ta;w f",
    "p # x\nw f",
    "\\,a,w f",
    "s/[/]/f/w f",
    "i\\\n1e f\\\nx\n1e f",
    "n;1,/x/w f",
    "2,+3e f",
]
_SED_ATOM = one_of(
    r"a f . .* \/ \\ \n \, \| \[ \] [a] [^a] []] [^]] [/] [[:alpha:]] ; , | # } { w e & \1 \cx é \w",
    odd=r"[\/] [\] [[.a.]] [[:a] [ ]",
)
_SED_SPACES = st.sampled_from(("", "", "", " ", "\t", "  "))
_SED_DELIMITER = one_of(r"/ / / , | # : @ ! ; _ ~", odd=r"a w e \ [ ]")
_SED_LABEL = one_of("a b x1 w e w;f")


def _sed_regex(delimiter: str) -> Text:
    atom = mostly(_SED_ATOM, st.sampled_from(("\\" + delimiter, "\n", "\\\n", " ")))
    return several(atom, 4).map(lambda body: body + delimiter)


_SED_ADDRESS = st.one_of(
    one_of("1 2 $ 0 1~2 99"),
    _sed_regex("/").map(lambda regex: "/" + regex),
    _SED_DELIMITER.flatmap(lambda delimiter: joined("\\", delimiter, _sed_regex(delimiter))),
).flatmap(lambda address: joined(address, maybe(one_of("I M II IM"))))
_SED_ADDRESSES = st.one_of(
    st.just(""),
    joined(_SED_ADDRESS, _SED_SPACES, maybe(st.just("!")), _SED_SPACES),
    joined(_SED_ADDRESS, ",", _SED_SPACES, st.one_of(_SED_ADDRESS, one_of("+1 ~2 +")), _SED_SPACES),
)


def _sed_two_parts(delimiter: str) -> Text:
    return joined(delimiter, _sed_regex(delimiter), _sed_regex(delimiter))


_SED_SUBSTITUTION = joined(
    "s",
    _SED_DELIMITER.flatmap(_sed_two_parts),
    several(one_of("g p i I m M 1 2 10"), 2),
    maybe(st.sampled_from(("e", "w f", " p", " w f", "w", " e", "ew f", "}"))),
)
_SED_TEXT = several(st.sampled_from(("a", " ", ";", "w f", "}", "\\", "\\\n", "\n", "e", "#")), 5)
_SED_COMMAND = st.one_of(
    one_of("p d D n N g G h H x P = z F l q Q q1 l5", odd="e w r R W v"),
    _SED_SUBSTITUTION,
    _SED_SUBSTITUTION,
    joined("y", _SED_DELIMITER.flatmap(_sed_two_parts)),
    joined(one_of("a i c"), _SED_SPACES, maybe(st.sampled_from(("\\", "\\\n"))), _SED_TEXT),
    joined(one_of(": b t T"), _SED_SPACES, maybe(_SED_LABEL)),
    joined(one_of("w e r"), " f"),
    one_of("{ } {p} {{p}} #"),
    joined("#", _SED_TEXT),
)
_SED_SEPARATOR = mostly(st.sampled_from((";", "\n", " ; ")), st.sampled_from((" ", "", "}", "\\\n")))
_SED_PIECES = st.sampled_from(
    [
        *(
            "s/",
            "/",
            "//",
            "s,",
            ",",
            "y/",
            "[",
            "]",
            "[^",
            "\\",
            "\\\\",
            "\\/",
            "\n",
            "\\\n",
            ";",
            "{",
            "}",
            "#",
        ),
        *(
            "a ",
            "a\\",
            "i\\\n",
            "c",
            ":",
            ":a",
            "b",
            "t",
            "1",
            "$",
            "!",
            "~",
            "+",
            " ",
            "\t",
            "I",
            "M",
            "g",
            "p",
        ),
        *(
            "w f",
            "\nw f\n",
            ";w f\n",
            "/w f\n",
            "e f",
            "\ne f\n",
            ";e\n",
            "/e;",
            "/e\n",
            "[:",
            ":]",
            "[:alpha:]",
            "é",
        ),
    ]
)


def sed_programs(everyday: Sequence[str]) -> Text:
    return st.one_of(
        several(joined(_SED_ADDRESSES, _SED_COMMAND, _SED_SEPARATOR), 3, least=1),
        spliced(SED_HARMFUL, everyday, _SED_PIECES),
        spliced(SED_HARMFUL, everyday, _SED_PIECES),
        several(_SED_PIECES, 12),
    )


# awk

AWK_HARMFUL = [
    'BEGIN{system ("f x")}',
    '{print > "f"}',
    "{print > $1}",
    '{print >> "f"}',
    '{print | "f"}',
    '{printf "%s x\\n", $1 |& "f"}',
    'BEGIN{"f x" |  getline}',
    'BEGIN{"f" | getline x; print x}',
    'BEGIN{"f" |& getline}',
    '{print $1, $2 > "f"}',
    '{print ($1)($2) > "f"}',
    '{print a > b ? "c" : "d"}',
    '{printf("%s", "x") > "f"}',
    "{print $1 / 2 > $1 / 3}",
    'BEGIN{printf "x" >"f"; close("f")}',
    "function g(x) {system(x)} {g($1)}",
    'BEGIN{g="system"; @g("f")}',
    '{if (x) /a/; print "b" > "f"}',
    'END{x = "f"; while (("f" | getline) > 0) n++}',
    '/[/]/{print > "f"}',
    'BEGIN{print "x" > "f" "g"}',
    '{print > ($1 ".x")}',
    "{print $0 >$1}",
    'BEGIN{getline x < "f"; print x > "f"}',
    'BEGINFILE{print > "f"}',
    '@load "filefuncs"\nBEGIN{print > "f"}',
]
_AWK_NUMBER = one_of("0 1 2 10 .5 1e3 5.", odd="0x1 1e")
_AWK_NAME = one_of("a b f n x NF NR FS OFS RS i", odd="ENVIRON ARGV OFMT in getline length func system close")
_AWK_ARRAY = one_of("a b c", odd="ENVIRON ARGV PROCINFO NF")
_AWK_CHARACTERS = one_of(
    r"a f . + * ( ) \/ \\ \n \. [a] [^a] []] [[:alpha:]] > | ; } # é $ \x2f \x ^ =",
    odd=r"\" [/] [\/] [\]] [ ]",
)
_AWK_INSIDE = several(mostly(_AWK_CHARACTERS, st.sampled_from(("\n", "\\\n", "/", '"', "\\"))), 4)
_AWK_STRING = st.one_of(
    st.sampled_from(('"f"', '"f x"', '"%s"', '""', '"input"')), joined('"', _AWK_INSIDE, '"')
)
_AWK_REGEX = joined("/", _AWK_INSIDE, "/")
_AWK_GAP = mostly(st.sampled_from(("", " ")), st.sampled_from(("\n", "\\\n", " #x\n")))


def _awk_larger(inner: Text) -> Text:
    binary = one_of("+ - * / / % ^ < <= == != >= > ~ !~ && ||", odd="= /= in ? : , ** | |& >> & @")
    lvalue = st.one_of(_AWK_NAME, joined("$", inner), joined(_AWK_ARRAY, "[", inner, "]"))
    function = one_of(
        "length substr index split sub gsub match sprintf tolower int rand",
        odd="system close fflush g strftime",
    )
    return mostly(
        st.one_of(
            joined("(", inner, ")"),
            joined("(", inner, ")"),
            joined(inner, _AWK_GAP, binary, _AWK_GAP, inner),
            joined(inner, binary, inner),
            joined(inner, " ", inner),
            joined(one_of("! - + $"), inner),
            joined(lvalue, st.sampled_from((" = ", "=", " /= ", "+=")), inner),
            joined(function, st.sampled_from(("(", "(", " (")), several(inner, 3, ", "), ")"),
            joined(inner, " ? ", inner, " : ", inner),
            joined("(", inner, ", ", inner, ") in ", _AWK_ARRAY),
            joined("(getline ", maybe(_AWK_NAME), ")"),
            lvalue,
        ),
        st.one_of(
            joined(one_of("++ --"), inner),
            joined(lvalue, one_of("++ -- = += /= =")),
            joined("getline ", maybe(_AWK_NAME), maybe(joined(" < ", inner))),
            joined(inner, " | getline ", maybe(_AWK_NAME)),
        ),
    )


_AWK_EXPRESSION = st.recursive(
    st.one_of(_AWK_NUMBER, _AWK_NAME, _AWK_STRING, _AWK_STRING, _AWK_REGEX, one_of("$0 $1 $NF a[1] length")),
    _awk_larger,
    max_leaves=5,
)
_AWK_REDIRECTION = joined(st.sampled_from((" > ", ">", " >> ", " | ", "|", " |& ", "\n> ")), _AWK_EXPRESSION)
_AWK_PRINT = st.one_of(
    joined("print ", several(_AWK_EXPRESSION, 3, ", ")),
    joined(one_of("print printf"), "(", several(_AWK_EXPRESSION, 3, ", "), ")"),
    joined(
        st.sampled_from(("print ", "print", "printf ", "printf(", "print(")),
        several(_AWK_EXPRESSION, 3, ", "),
        maybe(st.just(")")),
        maybe(_AWK_REDIRECTION),
    ),
)
_AWK_SIMPLE = st.one_of(
    _AWK_PRINT,
    _AWK_PRINT,
    _AWK_EXPRESSION,
    joined("delete ", _AWK_ARRAY, maybe(st.just("[1]"))),
    one_of("next exit nextfile print getline"),
    joined("exit ", _AWK_EXPRESSION),
)
_AWK_END = mostly(st.sampled_from(("; ", ";", "\n")), st.sampled_from((" ", "", "}")))


def _awk_compound(inner: Text) -> Text:
    condition = joined("(", _AWK_EXPRESSION, ")")
    return st.one_of(
        joined("{", inner, _AWK_END, "}"),
        joined("if ", condition, _AWK_GAP, inner, _AWK_END, maybe(joined("else ", inner, _AWK_END))),
        joined("while (n++ < 2) ", inner, _AWK_END),
        joined("do ", inner, "; while (n++ < 2)"),
        joined("for (i = 0; i < 2; i++) ", inner),
        joined("for (", _AWK_NAME, " in ", _AWK_ARRAY, ") ", inner),
        joined(inner, _AWK_END, inner),
    )


_AWK_STATEMENT = st.recursive(_AWK_SIMPLE, _awk_compound, max_leaves=4)
_AWK_RULE = st.one_of(
    joined("{", _AWK_STATEMENT, "}"),
    joined(one_of("BEGIN END", odd="BEGINFILE"), "{", _AWK_STATEMENT, "}"),
    joined(_AWK_EXPRESSION, maybe(joined(",", _AWK_EXPRESSION)), _AWK_GAP, "{", _AWK_STATEMENT, "}"),
    joined(_AWK_EXPRESSION, "\n"),
)
_AWK_PIECES = st.sampled_from(
    [
        *(
            "{",
            "}",
            "(",
            ")",
            "[",
            "]",
            "/",
            "//",
            "\\",
            "\\/",
            '"',
            '\\"',
            "\n",
            "\\\n",
            ";",
            ",",
            "#",
            " ",
            "$",
            "$1",
        ),
        *(
            "a",
            "f",
            "1",
            "=",
            "==",
            "+",
            "++",
            "-",
            "--",
            "!",
            "~",
            "!~",
            "<",
            ">",
            ">=",
            "&&",
            "||",
            "?",
            ":",
            "in a",
        ),
        *(
            "print ",
            "print(",
            "printf ",
            "if (x) ",
            "else ",
            "while (n++ < 2) ",
            "getline ",
            "length ",
            "BEGIN",
            "END",
        ),
        *(
            '> "f"',
            '| "f"',
            '>> "f"',
            ';print "x" > "f"',
            '\nprint "x" > "f"\n',
            '} {print > "f"}',
            ';system("f");',
        ),
        *(
            '"f" | getline',
            '/> "f"',
            '/; print > "f"',
            '"> "f"',
            '"; print > "f"',
            "[[:alpha:]]",
            "[^]]",
            "/=",
            "é",
            "@",
        ),
    ]
)


def awk_programs(everyday: Sequence[str]) -> Text:
    return st.one_of(
        several(_AWK_RULE, 2, least=1),
        several(_AWK_RULE, 2, least=1),
        spliced(AWK_HARMFUL, everyday, _AWK_PIECES),
        spliced(AWK_HARMFUL, everyday, _AWK_PIECES),
        several(_AWK_PIECES, 12),
    )


# jq

JQ_HARMFUL = [
    "env",
    "$ENV",
    "$ENV.SECRET",
    "env.SECRET",
    '"\\(env)"',
    "{$ENV}",
    "[$ENV | .[]]",
    "def f: env; f",
    "def f(x): x; f(env)",
    ". as $x | $ENV",
    'include "module"; f',
    'import "module" as m; m::f',
    "reduce env as $x (0; $x)",
    "if env then env else . end",
    "try env catch .",
    '@json "\\($ENV)"',
    "{(env | tostring): 1}",
    ". # x\n| env",
]
_JQ_PIECES = st.sampled_from(
    [
        *(
            ".",
            ".a",
            ".env",
            "[",
            "]",
            "(",
            ")",
            "{",
            "}",
            "|",
            ",",
            ";",
            ":",
            '"',
            "\\",
            "\\(",
            '\\"',
            "#",
            "\n",
            "\\\n",
        ),
        *(
            "?",
            "//",
            "$",
            "$x",
            "@",
            "@json ",
            "as $x |",
            "def f: ",
            "def env: ",
            "def f(env): ",
            "f",
            "f(",
            " ",
            "=",
            "-",
        ),
        *(
            "if ",
            "then ",
            "else ",
            "end",
            "try ",
            "catch ",
            "reduce ",
            "..",
            "env",
            "$ENV",
            "::",
            "1",
            "e",
            "E",
            "__loc__",
        ),
    ]
)


def jq_programs(everyday: Sequence[str]) -> Text:
    return st.one_of(
        spliced(JQ_HARMFUL, everyday, _JQ_PIECES),
        spliced(JQ_HARMFUL, everyday, _JQ_PIECES),
        several(_JQ_PIECES, 10),
    )
