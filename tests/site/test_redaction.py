"""No secret is in what is stored or shown, in whichever form and however many pieces it comes."""

import base64
import json
from itertools import pairwise
from urllib.parse import quote, quote_plus

from hypothesis import given
from hypothesis import strategies as st

from breakglass.site.redaction import MARK, Redaction, Redactor, forms_of

SECRETS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=8, max_size=40).map(
    str.strip
)


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


@given(st.lists(SECRETS.filter(lambda value: len(value) >= 8), min_size=1, max_size=3), st.data())
def test_what_is_gone_is_what_replacing_every_form_in_turn_takes_away(
    secrets: list[str], data: st.DataObject
) -> None:
    redactor = redactor_of(*secrets)
    forms = sorted(
        {form for secret in secrets for form in forms_of(secret)}, key=lambda form: (-len(form), form)
    )
    parts = st.one_of(
        st.sampled_from(forms), st.sampled_from(forms).map(lambda form: form[1:]), st.text(max_size=5)
    )
    text = expected = "".join(data.draw(st.lists(parts, max_size=6)))
    for form in forms:
        expected = expected.replace(form, MARK)
    assert redactor.redact(text) == expected


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
