"""Cleaning: foreign texts become one printable line without secrets."""

from __future__ import annotations

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from tap_tiktok_auth.redaction import clean, clean_id

PLAIN = "canary5ec23t"
#: A busy machine is no failure.
UNHURRIED = settings(deadline=None)
#: What a credential may consist of: visible ASCII.
SECRETS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=40)


def test_exception_of_requests_shows_no_query_secret() -> None:
    """The text of a failed connection, which quotes the whole address, can be cleaned."""
    with pytest.raises(requests.ConnectionError) as caught:
        requests.get("http://127.0.0.1:1/", params={"secret": PLAIN}, timeout=5)
    assert PLAIN in str(caught.value)
    assert PLAIN not in clean(caught.value, limit=1_000)


def test_clean_makes_one_printable_line() -> None:
    """Colours, control and bidirectional characters go, white space becomes single spaces."""
    text = " \x1b[31mred\x1b[0m\r\n\ttab\x00\x07 \u202eback\u200b\u2028 \x1b]0;title\x07end "
    assert clean(text) == "red tab back end"


@pytest.mark.parametrize("hidden", ["\x00", "\u200b", "\x1b[0m", "\u202e"])
def test_clean_finds_a_secret_with_invisible_characters_inside(hidden: str) -> None:
    """A secret is not smuggled through by a character that cleaning drops."""
    assert clean(f"<{PLAIN[:5]}{hidden}{PLAIN[5:]}>", [PLAIN]) == "<***>"


def test_clean_cuts_at_the_limit() -> None:
    """A long text is cut to the limit, and says so."""
    assert clean("x" * 300) == "x" * 199 + "…"
    assert clean("x" * 200) == "x" * 200
    assert clean("abcdef", limit=3) == "ab…"


def test_clean_masks_before_it_cuts() -> None:
    """A secret across the limit leaves no first half behind."""
    assert PLAIN[:6] not in clean("x" * 190 + PLAIN, [PLAIN])


@UNHURRIED
@given(st.integers(0, 40))
def test_clean_bounds_its_work_without_leaking(shift: int) -> None:
    """A huge text of invisible characters does not expose the half of a secret that it ends in."""
    text = "\x00" * (20_000 - shift) + PLAIN + "\x00" * 100_000
    cleaned = clean(text, [PLAIN])
    assert not any(PLAIN[:size] in cleaned for size in range(3, len(PLAIN) + 1))


@UNHURRIED
@given(st.text() | st.integers() | st.none() | st.lists(st.text()), st.lists(SECRETS, max_size=3))
def test_clean_takes_anything(text: object, secrets: list[str]) -> None:
    """Whatever comes in, a short printable line comes out."""
    line = clean(text, secrets)
    assert len(line) <= 200
    assert line.isprintable()


def test_clean_of_nothing_is_empty() -> None:
    """A message that is missing becomes an empty text, not the word None."""
    assert clean(None) == ""


@pytest.mark.parametrize("text", ["202403040357439E497F7E6668D60F2700", "a.b_c-{d}", "x" * 64])
def test_clean_id_takes_ids(text: str) -> None:
    """An id of TikTok passes as it is."""
    assert clean_id(text) == text


@pytest.mark.parametrize("text", ["", "x" * 65, "a b", "a\n", "\x1b[0m", "é", None, 7, {"a": 1}])
def test_clean_id_refuses_the_rest(text: object) -> None:
    """What is no id is dropped whole."""
    assert clean_id(text) is None
