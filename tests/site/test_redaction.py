"""No secret is in what is stored or shown, in whichever form and however many pieces it comes."""

import base64
import json
import re
import subprocess
from itertools import pairwise
from typing import Protocol, TypeVar
from urllib.parse import quote, quote_plus

import pytest
import re2
from hypothesis import given, settings
from hypothesis import strategies as st

from breakglass.site import redaction as redaction_module
from breakglass.site.redaction import MARK, Redaction, Redactor
from breakglass.values import Json

SECRETS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=8, max_size=40).map(
    str.strip
)

T = TypeVar("T")


class Draw(Protocol):
    def __call__(self, strategy: st.SearchStrategy[T], /) -> T: ...


def redactor_of(*values: str) -> Redactor:
    redactor = Redactor()
    for value in values:
        redactor.add(value)
    return redactor


@given(SECRETS.filter(lambda value: len(value) >= 8))
def test_a_secret_is_gone_in_every_form_in_which_programs_echo_it(secret: str) -> None:
    redactor = redactor_of(secret)
    forms = [
        secret,
        base64.b64encode(secret.encode()).decode(),
        base64.urlsafe_b64encode(secret.encode()).decode(),
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
    ]
    for form in forms:
        assert redactor.redact(f"before {form} after") == f"before {MARK} after"


@given(SECRETS.filter(lambda value: len(value) >= 8), st.binary(max_size=9), st.binary(max_size=9))
def test_a_secret_is_gone_from_the_middle_of_a_longer_base64_text(
    secret: str, before: bytes, after: bytes
) -> None:
    encoded = base64.b64encode(before + secret.encode() + after).decode()
    assert MARK in redactor_of(secret).redact(encoded)


@given(
    SECRETS.filter(lambda value: len(value) >= 8),
    st.text(max_size=20),
    st.text(max_size=20),
    st.lists(st.integers(0, 80), max_size=6),
)
def test_a_secret_that_comes_in_pieces_is_found(
    secret: str, before: str, after: str, cuts: list[int]
) -> None:
    redactor = redactor_of(secret)
    whole = f"{before}{secret}{after}"
    places = sorted({0, len(whole), *(cut for cut in cuts if cut < len(whole))})
    redaction = Redaction(redactor)
    shown = "".join(redaction.feed(whole[a:b]) for a, b in pairwise(places))
    shown += redaction.end()
    assert secret not in shown.replace(MARK, "")
    assert shown == redactor.redact(whole)


def pieces_of(text: str, cuts: list[int]) -> list[str]:
    places = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    return [text[a:b] for a, b in pairwise(places)]


def in_percent(text: str, draw: Draw) -> str:
    """The text as a URL has it, where some encode more than others, and once or twice."""
    out: list[str] = []
    for character in text:
        if character.isalnum() and character.isascii() and draw(st.integers(0, 4)):
            out.append(character)
            continue
        coded = "".join(f"%{byte:02x}" for byte in character.encode())
        ways = [coded, coded.upper(), coded.replace("%", "%25")]
        ways += [character] if character.isascii() else []
        out.append(draw(st.sampled_from(ways + (["+"] if character == " " else []))))
    return "".join(out)


def in_go(text: str) -> str:
    """As encoding/json writes it: <, > and & and two line ends are escaped besides what must be."""
    written = json.dumps(text, ensure_ascii=False)[1:-1]
    for character in "<>&\u2028\u2029":
        written = written.replace(character, f"\\u{ord(character):04x}")
    return written


def in_javascript(text: str) -> str:
    """As a bundler writes it: \\x for what is small, upper case for what is not."""
    return "".join(
        each
        if each.isascii()
        else f"\\x{ord(each):02X}"
        if ord(each) < 256
        else json.dumps(each)[1:-1].upper()
        for each in json.dumps(text, ensure_ascii=False)[1:-1]
    ).replace("\\U", "\\u")


def in_php(text: str) -> str:
    return json.dumps(text)[1:-1].replace("/", "\\/")


def wrapped(text: str, width: int, end: str) -> str:
    return end.join(text[at : at + width] for at in range(0, len(text), width))


ENDS = st.sampled_from(["\n", "\r\n", "\\n", "\\r\\n", "\\\\n", "\n    "])


@given(SECRETS.filter(lambda value: len(value) >= 8), st.data())
def test_a_secret_is_gone_in_percent_form_whoever_wrote_it(secret: str, data: st.DataObject) -> None:
    written = in_percent(secret, data.draw)
    assert redactor_of(secret).redact(f"x={written}&y") == f"x={MARK}&y"


@given(SECRETS.filter(lambda value: len(value) >= 8), st.integers(0, 3))
def test_a_secret_is_gone_from_json_of_any_language_and_from_json_within_json(
    secret: str, levels: int
) -> None:
    for write in (in_go, in_javascript, in_php):
        written = write(secret)
        for _ in range(levels):
            written = json.dumps(written)[1:-1]
        shown = redactor_of(secret).redact(f'"{written}"')
        # A quote at its end beside the closing one reads as one quote doubled, as CSV and SQL write it.
        assert shown == f'"{MARK}"' or (secret.endswith('"') and shown == f'"{MARK}'), written


@given(
    SECRETS.filter(lambda value: len(value.encode()) >= 12),
    st.binary(max_size=70),
    st.binary(max_size=70),
    st.integers(1, 90),
    ENDS,
    st.booleans(),
    st.lists(st.integers(0, 300), max_size=8),
)
def test_a_secret_is_gone_from_base64_that_is_wrapped_at_any_width_and_comes_in_pieces(
    secret: str, before: bytes, after: bytes, width: int, end: str, url: bool, cuts: list[int]
) -> None:
    encode = base64.urlsafe_b64encode if url else base64.b64encode
    redaction = Redaction(redactor_of(secret))
    shown = "".join(
        map(
            redaction.feed,
            pieces_of(wrapped(encode(before + secret.encode() + after).decode(), width, end), cuts),
        )
    )
    left = re.sub(r"\\+[rn]|\s", "", shown + redaction.end()).translate(str.maketrans("-_", "+/"))
    assert MARK in left
    for at in range(3):
        whole = base64.b64encode(b"\0" * at + secret.encode()).decode().rstrip("=")[2:-1]
        assert not any(whole[i : i + 8] in left for i in range(len(whole) - 7))


@given(
    SECRETS.filter(lambda value: len(value) >= 8),
    st.sampled_from(["", " ", ":", ", ", "\\x", " 0x", "\n"]),
    st.booleans(),
)
def test_a_secret_is_gone_from_hexadecimal(secret: str, between: str, upper: bool) -> None:
    digits = [f"{byte:02X}" if upper else f"{byte:02x}" for byte in secret.encode()]
    assert redactor_of(secret).redact(f"[{between.join(digits)}]") == f"[{MARK}]"


@pytest.mark.parametrize(
    "words", [["od", "-An", "-tx1"], ["od", "-Ax", "-tx1"], ["base64"], ["base64", "-w", "7"]]
)
def test_a_secret_is_gone_from_what_programs_make_of_it(words: list[str]) -> None:
    secret = "a-token-of-more-than-sixteen-bytes"
    written = subprocess.run(words, input=secret.encode(), capture_output=True, check=True).stdout.decode()
    shown = redactor_of(secret).redact(written)
    assert MARK in shown
    # What is left is the offsets of the dump and the line end.
    assert len(shown.replace(MARK, "").strip()) <= 16, shown


@pytest.mark.parametrize(
    "written",
    [
        "it'\\''s <so> & so",
        "it'\"'\"'s <so> & so",
        r"it\'s\ \<so\>\ \&\ so",
        "it&#39;s &lt;so&gt; &amp; so",
        "it&#x27;s &lt;so&gt; &amp;amp; so",
        r"it\u{27}s <so> & so".replace(r"\u{27}", "'"),
    ],
)
def test_a_secret_is_gone_as_a_shell_or_a_page_quotes_it(written: str) -> None:
    assert redactor_of("it's <so> & so").redact(f"[{written}]") == f"[{MARK}]"


FORMS = st.sampled_from(["plain", "percent", "go", "base64", "hex", "twice"])


@given(
    st.lists(SECRETS.filter(lambda value: len(value) >= 8), min_size=1, max_size=3),
    st.data(),
    st.lists(st.integers(0, 200), max_size=12),
)
def test_in_whatever_pieces_a_text_comes_the_same_of_it_is_shown(
    secrets: list[str], data: st.DataObject, cuts: list[int]
) -> None:
    redactor = redactor_of(*secrets)

    def form(secret: str) -> str:
        match data.draw(FORMS):
            case "percent":
                return in_percent(secret, data.draw)
            case "go":
                return in_go(secret)
            case "base64":
                return base64.b64encode(secret.encode()).decode()
            case "hex":
                return secret.encode().hex()
            case "twice":
                return secret[:5] + secret
            case _:
                return secret

    parts = st.one_of(st.sampled_from(secrets).map(form), st.text(max_size=5))
    text = "".join(data.draw(st.lists(parts, max_size=6)))
    redaction = Redaction(redactor)
    shown = "".join(map(redaction.feed, pieces_of(text, cuts))) + redaction.end()
    assert shown == redactor.redact(text)


@settings(max_examples=15)
@given(st.integers(200, 3000), st.integers(0, 4000))
def test_a_long_secret_is_gone_whole_also_in_pieces(length: int, cut: int) -> None:
    secret = "".join(chr(65 + at * 7 % 26) + str(at % 10) for at in range(length // 2))
    redactor = redactor_of(secret)
    written = base64.encodebytes(secret.encode()).decode()
    for text in (f"token {secret} end\n", f"token\n{written}end\n"):
        redaction = Redaction(redactor)
        shown = redaction.feed(text[:cut]) + redaction.feed(text[cut:]) + redaction.end()
        assert MARK in shown and len(shown) < 40


def test_a_huge_secret_is_gone_as_it_is() -> None:
    secret = "".join(f"{at:x}/" for at in range(12_000))
    assert redactor_of(secret).redact(f"[{secret}]") == f"[{MARK}]"


def test_what_looks_at_text_is_made_once_for_many_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[bytes] = []
    compile_pattern = redaction_module._compiled  # pyright: ignore[reportPrivateUsage]

    def noted(pattern: bytes) -> "re2.Regexp":
        made.append(pattern)
        return compile_pattern(pattern)

    monkeypatch.setattr(redaction_module, "_compiled", noted)
    redactor = redactor_of(*(f"secret-number-{n}" for n in range(40)))
    for n in range(40):
        assert redactor.redact(f"a secret-number-{n} b") == f"a {MARK} b"
    assert len(made) == 2


@given(st.text(max_size=60), st.lists(st.integers(0, 60), max_size=5))
def test_text_without_a_secret_passes_unchanged(text: str, cuts: list[int]) -> None:
    redaction = Redaction(redactor_of("correct-horse-battery"))
    places = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    pieces = [redaction.feed(text[a:b]) for a, b in pairwise(places)]
    assert "".join(pieces) + redaction.end() == text


def test_only_the_beginning_of_a_secret_is_held_back() -> None:
    redaction = Redaction(redactor_of("swordfish"))
    assert redaction.feed("a line\nsword") == "a line\n"
    assert redaction.feed("s\n") == "swords\n"


def test_each_line_of_a_key_is_a_secret_of_its_own() -> None:
    redactor = redactor_of("-----BEGIN KEY-----\nMIIEowIBAAKCAQEA\nq83vASNFZ4mrze8B\n-----END KEY-----")
    assert redactor.redact("found MIIEowIBAAKCAQEA there") == f"found {MARK} there"


def test_texts_inside_json_are_redacted_with_their_keys() -> None:
    redactor = redactor_of("hunter2hunter2")
    found = redactor.redact_json({"hunter2hunter2": ["x hunter2hunter2", 3, None, {"a": "hunter2hunter2"}]})
    assert found == {MARK: [f"x {MARK}", 3, None, {"a": MARK}]}


def test_numbers_inside_json_are_secrets_too() -> None:
    redactor = redactor_of("482913")
    value: Json = {"pin": 482913, "pins": [1, 482913.5, True], "text": "pin=482913"}
    assert redactor.redact_json(value) == {"pin": MARK, "pins": [1, MARK, True], "text": f"pin={MARK}"}


def test_data_without_a_secret_stays_the_same_object() -> None:
    value: Json = {"a": [1, {"b": "text"}], "c": None}
    assert redactor_of("hunter2hunter2").redact_json(value) is value


@pytest.mark.parametrize(
    "shown",
    [
        "it''s a \"token\" of p\u00e4",
        'it\'s a ""token"" of p\u00e4',
        'it\'s a "token" of p\\303\\244',
        "it\\047s a \\042token\\042 of p\\303\\244",
    ],
)
def test_a_secret_is_gone_as_sql_csv_yaml_and_git_quote_it(shown: str) -> None:
    assert redactor_of('it\'s a "token" of p\u00e4').redact(f"a {shown} b") == f"a {MARK} b"


@pytest.mark.parametrize("before", ["", "u:", "user:", "somebody:"])
@pytest.mark.parametrize("around", ['{"auth":"%s"}', '{"auths":{"r":{"auth":"%s"}}}', "%s", " %s "])
def test_a_registry_login_within_a_kubernetes_secret_is_kept_out(before: str, around: str) -> None:
    redactor = Redactor()
    redactor.add("correct horse battery")
    login = base64.b64encode(f"{before}correct horse battery".encode()).decode()
    twice = base64.b64encode((around % login).encode()).decode()
    shown = redactor.redact(f".dockerconfigjson: {twice}")
    head, mark, tail = shown.partition(MARK)
    assert mark
    hidden = len(".dockerconfigjson: ") + len(twice) - len(head + tail)
    of_secret = len(base64.b64encode(base64.b64encode(b"correct horse battery")))
    assert hidden >= of_secret - 12, "all but the characters that the neighbours share in"


@pytest.mark.parametrize("text", ["", "abc", "«redacted»", "a\n\udc80"])
def test_without_any_secret_a_text_is_passed_on_whole_at_once(text: str) -> None:
    assert Redactor().split(text) == (text, "")
    assert Redaction(Redactor()).feed(text) == text
