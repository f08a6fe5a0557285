"""A secret in spellings that one wrong letter in the patterns would let through: each character, alone among
others, as programs write it; at the lengths at which less is sought; and cut within every spelling."""

import base64
import json
from collections.abc import Callable
from string import punctuation
from urllib.parse import quote

import pytest

from breakglass.site.redaction import MARK, Redaction, Redactor, replaced, texts_of
from breakglass.values import Json

SHORTEST_FORM, BEGINNING, LONG, HUGE = 8, 24, 256, 8192
BEFORE, AFTER = "Ab3dEf", "gH1jKl"

SPELLINGS = {
    "\n": ["\n", "\\n", "\\\\n", "\r\n", "%0a", "%0A", "\\u000a", "\\x0a", "&#10;", "&#x0a;", "&amp;#10;"],
    "\t": ["\t", "\\t", "\\\\t", "%09", "\\u0009", "\\x09", "&#9;"],
    "\r": ["\\r", "%0d", "\\u000d"],
    "\b": ["\\b", "%08", "\\u0008"],
    "\f": ["\\f", "%0c", "\\u000c"],
    " ": [" ", "+", "%20", "%2520", "\\ ", "&#32;"],
    "'": ["'", "\\'", "'\"'\"'", "'\\''", "'\\\"'\\\"'", "&apos;", "&#39;", "&#x27;", "%27", "\\u0027"],
    '"': ['"', '\\"', '\\\\\\"', "&quot;", "&amp;quot;", "&#34;", "%22", "\\u0022"],
    "&": ["&", "&amp;", "&amp;amp;", "%26", "\\u0026", "\\&", "&#38;"],
    "<": ["<", "&lt;", "\\u003c", "\\u003C", "%3c", "%3C", "&#60;", "&#x3C;"],
    ">": [">", "&gt;", "\\u003e", "%3e", "&#062;"],
    "/": ["/", "\\/", "%2f", "%2F", "%252F", "\\x2f"],
    "+": ["+", "%2b", "%2B", "\\u002b", "\\+"],
    "$": ["$", "\\$", "%24", "\\\\$"],
    "\\": ["\\", "\\\\", "\\\\\\\\", "%5c", "%5C", "\\u005c"],
    "a": ["a", "%61", "\\u0061", "\\x61"],
    "é": ["é", "%c3%a9", "%C3%A9", "\\u00e9", "\\u00E9", "\\xe9", "\\xc3\\xa9", "&#233;", "&#xe9;", "&#XE9;"],
    "€": ["€", "%e2%82%ac", "\\u20ac", "\\xe2\\x82\\xac", "&#8364;"],
    "😀": ["😀", "%f0%9f%98%80", "\\ud83d\\ude00", "\\uD83D\\uDE00", "\\U0001f600", "&#128512;", "&#x1f600;"],
    "\U00010000": ["\\ud800\\udc00", "\\U00010000"],
    "\uffff": ["\\uffff", "%ef%bf%bf"],
}
CASES = [(character, spelling) for character, found in SPELLINGS.items() for spelling in found]


def redactor_of(*values: str) -> Redactor:
    redactor = Redactor()
    for value in values:
        assert redactor.add(value)
    return redactor


@pytest.mark.parametrize(("character", "spelling"), CASES, ids=[ascii(case) for case in CASES])
def test_a_character_of_a_secret_is_known_in_each_of_its_spellings(character: str, spelling: str) -> None:
    redactor = redactor_of(f"{BEFORE}{character}{AFTER}")
    told = f"{BEFORE}{spelling}{AFTER}"
    assert redactor.redact(f"<{told}>") == f"<{MARK}>"
    for cut in range(1, len(told)):
        redaction = Redaction(redactor)
        shown = redaction.feed(told[:cut]) + redaction.feed(told[cut:]) + redaction.end()
        assert shown == MARK, f"cut at {cut}"


@pytest.mark.parametrize(("character", "spelling"), CASES, ids=[ascii(case) for case in CASES])
def test_nothing_is_shown_of_a_secret_that_comes_letter_by_letter(character: str, spelling: str) -> None:
    redaction = Redaction(redactor_of(f"{BEFORE}{character}{AFTER}"))
    told = f"{BEFORE}{spelling}{AFTER}"
    shown = [redaction.feed(letter) for letter in told]
    assert "".join(shown) + redaction.end() == MARK


@pytest.mark.parametrize(
    "text", ["Ab3dEf", "gH1jKl", "Ab3dEf!gH1jKl", "ab3def gh1jkl", "Ab3dEf  gH1jKl", "Ab3dEfgH1jKl"]
)
def test_what_only_looks_like_it_is_shown(text: str) -> None:
    assert redactor_of(f"{BEFORE} {AFTER}").redact(text) == text


# ---------------------------------------------------------------- lengths
def secret_of(length: int) -> str:
    letters = "".join(f"{number:x}Q-" for number in range(length))
    return letters[:length]


@pytest.mark.parametrize(
    "length", [4, 7, 8, BEGINNING - 1, BEGINNING, BEGINNING + 1, LONG - 1, LONG, LONG + 1]
)
def test_a_secret_of_any_length_is_found_in_any_two_pieces(length: int) -> None:
    secret = secret_of(length)
    redactor = redactor_of(secret)
    for cut in {*range(1, min(length, 40)), length - 1, length // 2}:
        redaction = Redaction(redactor)
        assert (
            redaction.feed(f"x {secret[:cut]}") + redaction.feed(f"{secret[cut:]} y") + redaction.end()
            == f"x {MARK} y"
        )


@pytest.mark.parametrize("length", [LONG - 1, LONG, LONG + 1, HUGE])
def test_up_to_its_length_a_secret_is_found_in_base64_and_hexadecimal(length: int) -> None:
    secret = secret_of(length)
    redactor = redactor_of(secret)
    assert redactor.redact(base64.b64encode(secret.encode()).decode()) == MARK
    assert redactor.redact(secret.encode().hex()) == MARK
    spaced = secret.encode().hex(" ")
    assert (redactor.redact(spaced) == MARK) is (length <= LONG)
    twice = base64.b64encode(base64.b64encode(secret.encode()).rstrip(b"=")).decode()
    assert redactor.finds(twice) is (length <= LONG)


def test_of_a_huge_secret_its_characters_are_sought() -> None:
    secret = secret_of(HUGE + 1)
    redactor = redactor_of(secret)
    assert redactor.redact(f"<{secret}>") == f"<{MARK}>"
    encoded = base64.b64encode(secret.encode()).decode()
    assert redactor.redact(encoded) == encoded


@pytest.mark.parametrize("length", [SHORTEST_FORM - 1, SHORTEST_FORM])
def test_a_line_of_a_secret_is_one_of_its_own_from_eight_characters(length: int) -> None:
    line = secret_of(length)
    redactor = redactor_of(f"{line}\nanother-line-of-it")
    assert (redactor.redact(line) == MARK) is (length == SHORTEST_FORM)
    assert redactor.redact("another-line-of-it") == MARK


def test_of_a_long_secret_of_several_lines_each_line_is_sought() -> None:
    lines = [secret_of(64) + str(number) for number in range(8)]
    redactor = redactor_of("\n".join(lines))
    assert redactor.redact("  \n".join(lines)) == "  \n".join([MARK] * len(lines))


def test_a_long_secret_of_short_lines_only_is_sought_whole() -> None:
    secret = "ab-12\n" * 60
    assert redactor_of(secret).redact(f"<{secret.strip()}>") == f"<{MARK}>"


@pytest.mark.parametrize(
    ("before", "length", "found"),
    [(0, 5, False), (0, 6, True), (1, 6, False), (1, 7, True), (2, 6, False), (2, 7, True)],
)
def test_within_a_longer_base64_no_less_than_eight_characters_are_sought(
    before: int, length: int, found: bool
) -> None:
    encoded = base64.b64encode(b"\xff" * before + b"kw7-Qz9"[:length] + b"\xff" * 3).decode()
    assert redactor_of("kw7-Qz9"[:length]).finds(encoded) is found


@pytest.mark.parametrize("slash", ["/", "_", "\\/", "%2F", "\\u002f"])
def test_base64_that_begins_with_no_letter_is_kept_out_letter_by_letter(slash: str) -> None:
    redactor = redactor_of("o\xe9-s3cr3t-of-the-door")
    encoded = base64.b64encode("xo\xe9-s3cr3t-of-the-door!".encode()).decode()
    assert encoded[2] == "/", "the first character that the secret gives"
    told = encoded[:2] + encoded[2:].replace("/", slash)
    redaction = Redaction(redactor)
    shown = "".join(map(redaction.feed, told)) + redaction.end()
    assert shown == f"{encoded[:2]}{MARK}{encoded[-2:]}"


def test_a_short_secret_of_several_lines_is_sought_whole_too() -> None:
    redactor = redactor_of("ab1\ncd2\nef3")
    assert redactor.redact("<ab1\ncd2\nef3>") == f"<{MARK}>"
    assert redactor.redact("ab1") == "ab1"


@pytest.mark.parametrize("length", [LONG, LONG + 1])
def test_up_to_its_length_a_secret_of_several_lines_is_sought_whole(length: int) -> None:
    secret = f"{secret_of(length - 4)}\nab1"
    assert (redactor_of(secret).redact(secret) == MARK) is (length <= LONG)


@pytest.mark.parametrize("length", [LONG, LONG + 1])
def test_up_to_its_length_a_letter_of_a_secret_is_sought_in_its_spellings(length: int) -> None:
    secret = secret_of(length)
    assert (redactor_of(secret).redact(secret.replace("Q", "%51")) == MARK) is (length <= LONG)


def as_json(text: str) -> str:
    return json.dumps(text)[1:-1]


@pytest.mark.parametrize("write", [str, quote, as_json], ids=["as it is", "in a URL", "in JSON"])
def test_of_a_long_secret_everything_but_letters_and_digits_is_known_in_its_spellings(
    write: Callable[[str], str],
) -> None:
    secret = secret_of(LONG) + punctuation + "é€😀."
    assert redactor_of(secret).redact(f"<{write(secret)}>") == f"<{MARK}>"


# ---------------------------------------------------------------- base64, hexadecimal, JSON
@pytest.mark.parametrize("before", [b"", b"x", b"xy", b"xyz"])
@pytest.mark.parametrize("after", [b"", b"z", b"zz"])
def test_nothing_that_depends_on_the_secret_alone_is_left_of_its_base64(before: bytes, after: bytes) -> None:
    secret = b"s3cr3t-of-the-door>>??"
    encoded = base64.b64encode(before + secret + after).decode()
    left = redactor_of(secret.decode()).redact(encoded).replace(MARK, "")
    assert len(left) <= 8
    for wrapped in (
        encoded.replace("=", "%3D"),
        encoded.replace("=", "\\u003d"),
        encoded.replace("+", "-").replace("/", "_"),
        encoded.replace("/", "%2F"),
        encoded.replace("/", "\\/"),
        encoded.replace("+", "\\u002b"),
    ):
        assert MARK in redactor_of(secret.decode()).redact(wrapped)


@pytest.mark.parametrize(
    "between", ["", " ", ":", ", ", "\\x", "\\\\x", " 0x", ":\n", "\n0000010: ", "\n00000010 "]
)
@pytest.mark.parametrize("upper", [False, True])
def test_its_bytes_in_hexadecimal_are_found_with_whatever_stands_between(between: str, upper: bool) -> None:
    digits = [f"{byte:02X}" if upper else f"{byte:02x}" for byte in b"s3cr3t-\xc3\xa9"]
    assert redactor_of("s3cr3t-é").redact(f"<{between.join(digits)}>") == f"<{MARK}>"


ENDED = {
    "as it is": "{}",
    "in base64": "{base64}",
    "in base64 without its end": "{unpadded}",
    "in base64 of a URL": "{url}",
    "in base64 twice": "{twice}",
    "in hexadecimal": "{hex}",
}


@pytest.mark.parametrize(
    ("form", "length"),
    [(form, length) for form in ENDED for length in range(8, 13) if "twice" not in form or not length % 3],
)
def test_of_a_secret_nothing_is_shown_but_a_mark_in_whatever_pieces(form: str, length: int) -> None:
    secret = "s3cr3t>>??-of-the-door"[:length]
    base = base64.b64encode(secret.encode())
    told = ENDED[form].format(
        secret,
        base64=base.decode(),
        unpadded=base.decode().rstrip("="),
        url=base64.urlsafe_b64encode(secret.encode()).decode(),
        twice=base64.b64encode(base).decode(),
        hex=secret.encode().hex(),
    )
    redactor = redactor_of(secret)
    for cut in range(len(told) + 1):
        redaction = Redaction(redactor)
        shown = redaction.feed(f"<{told[:cut]}") + redaction.feed(f"{told[cut:]}") + redaction.feed(">")
        assert shown + redaction.end() == f"<{MARK}>", cut
    assert "".join(map(Redaction(redactor).feed, f"<{told}>")) == f"<{MARK}>"


def test_a_secret_that_is_there_whole_is_not_held_back() -> None:
    redaction = Redaction(redactor_of("s3cr3t-one"))
    assert redaction.feed("<s3cr3t-one") == f"<{MARK}"


def test_half_of_a_surrogate_pair_is_text_as_any_other() -> None:
    redactor = redactor_of("s3cr\ud83dt-one")
    assert redactor.redact("\udc00s3cr\ud83dt-one\ud800") == f"\udc00{MARK}\ud800"
    redaction = Redaction(redactor)
    assert redaction.feed("\udc00s3cr") + redaction.feed("\ud83dt-one\ud800") == f"\udc00{MARK}\ud800"


def test_json_within_json_within_json_is_redacted() -> None:
    secret = 'a"b\\c/d é\n<e>'
    text = secret
    for _ in range(4):
        text = json.dumps({"k": text})
        shown = redactor_of(secret).redact(text)
        assert MARK in shown and "b" not in shown.replace(MARK, "")


def test_values_of_json_are_redacted_and_the_others_are_the_same_objects() -> None:
    redactor = redactor_of("s3cr3t-of-the-door", "12345.5")
    plain: Json = {"a": [1, None, True, "x"], "b": {"c": "d"}}
    assert redactor.redact_json(plain) is plain
    assert redactor.redact_json([None, True, False, 1, 12345.5, "x"]) == [None, True, False, 1, MARK, "x"]
    assert redactor.redact_json({"s3cr3t-of-the-door": {"k": ["s3cr3t-of-the-door"]}}) == {
        MARK: {"k": [MARK]}
    }
    told: Json = {"a": plain, "b": "s3cr3t-of-the-door"}
    shown = redactor.redact_json(told)
    assert isinstance(shown, dict) and shown["a"] is plain and shown["b"] == MARK


def test_what_is_no_text_and_no_number_is_never_a_secret() -> None:
    redactor = redactor_of("null", "true", "false")
    assert redactor.redact_json([None, True, False, "null"]) == [None, True, False, MARK]
    assert not Redactor().add_value([None, True])


def test_all_texts_and_numbers_of_a_value_are_its_texts() -> None:
    assert list(texts_of({"a": ["b", 1, 2.5, True, None, {"c": "d"}]})) == ["a", "b", "1", "2.5", "c", "d"]
    assert replaced({"ab": ["xab", 1, None, {"k": "ab"}]}, "ab", "-") == {"-": ["x-", 1, None, {"k": "-"}]}


def test_what_cannot_be_kept_out_is_said() -> None:
    redactor = Redactor()
    assert [redactor.add(value) for value in ("", "abc", "abc\n", "\r\nabc\n", "abcd", "abcd\n")] == [
        False
    ] * 4 + [True] * 2
    assert redactor.add_value(["abcd", {"efgh": 12345}])
    assert not redactor.add_value(["abcd", 1])
    assert not redactor.add_value(None)
    assert not redactor.add_value([])
    assert redactor.redact("abcd efgh 12345 abc") == f"{MARK} {MARK} {MARK} abc"


def test_of_two_secrets_that_begin_alike_the_longer_is_redacted_whole_in_pieces_too() -> None:
    redactor = redactor_of("s3cr3t-one", "s3cr3t-one-more")
    for cut in range(1, 15):
        redaction = Redaction(redactor)
        told = "s3cr3t-one-more"
        assert redaction.feed(told[:cut]) + redaction.feed(told[cut:]) + redaction.end() == MARK
    redaction = Redaction(redactor)
    assert redaction.feed("s3cr3t-one") + redaction.feed("-less") + redaction.end() == f"{MARK}-less"


@pytest.mark.parametrize("inner", ["one-of", "s3cr3t-one", "one-of-them-all", "t-on"])
def test_a_secret_within_another_leaves_nothing_of_the_other_in_whatever_pieces(inner: str) -> None:
    told = "s3cr3t-one-of-them-all"
    redactor = redactor_of(told, inner)
    for cut in range(1, len(told)):
        redaction = Redaction(redactor)
        shown = redaction.feed(f"x{told[:cut]}") + redaction.feed(f"{told[cut:]} y") + redaction.end()
        assert shown == f"x{MARK} y", cut
    redaction = Redaction(redactor)
    assert "".join(map(redaction.feed, told)) + redaction.end() == MARK


@pytest.mark.parametrize("inner", ["one-of", "s3cr3t-one", "t-on"])
def test_so_it_is_where_such_a_secret_stands_twice(inner: str) -> None:
    secret = "s3cr3t-one-of-them-all"
    redactor = redactor_of(secret, inner)
    told = f"a {secret} b {secret} c {inner} d {secret}"
    for cut in range(len(told) + 1):
        redaction = Redaction(redactor)
        shown = redaction.feed(told[:cut]) + redaction.feed(told[cut:]) + redaction.end()
        assert shown == f"a {MARK} b {MARK} c {MARK} d {MARK}", cut


def test_what_follows_a_secret_that_goes_on_no_further_is_shown_at_once() -> None:
    redaction = Redaction(redactor_of("s3cr3t-one-of-them-all-and-longer-than-that"))
    assert redaction.feed("<s3cr3t-one-of-them-all-and-longer-than-that> $ ") == f"<{MARK}> $ "


def test_a_short_last_line_of_a_secret_is_not_shown_behind_the_lines_before_it() -> None:
    told = "longer-line-1\nab1"
    redactor = redactor_of(told)
    for cut in range(1, len(told)):
        redaction = Redaction(redactor)
        assert redaction.feed(told[:cut]) + redaction.feed(told[cut:]) + redaction.end() == MARK
