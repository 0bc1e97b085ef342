"""The errors: their tree, their one line, their journey between processes."""

from __future__ import annotations

import pickle
import re

import pytest

from tap_tiktok_auth import errors
from tap_tiktok_auth.errors import GrantRejected, RequestRefused, TikTokAuthError

ALL = [getattr(errors, name) for name in errors.__all__]


def _tree_of_docstring() -> dict[str, str | None]:
    """Read class and parent from the drawing in the module's docstring."""
    branch = re.compile(r"^(?P<indent>[│ ]*)(?P<mark>[├└]── )?(?P<name>[A-Z]\w+)  ", re.MULTILINE)
    parents: dict[str, str | None] = {}
    path: list[str] = []
    for match in branch.finditer(errors.__doc__ or ""):
        depth = (len(match["indent"]) + len(match["mark"] or "")) // 4
        path[depth:] = [match["name"]]
        parents[match["name"]] = path[depth - 1] if depth else None
    return parents


def test_docstring_draws_the_real_tree() -> None:
    """The drawing in the docstring has every error, each below its real parent."""
    real = {
        kind.__name__: None if kind is TikTokAuthError else kind.__base__.__name__ for kind in ALL
    }
    assert _tree_of_docstring() == real


def test_all_names_every_error() -> None:
    """`__all__` is sorted and names every exception that the module defines."""
    defined = sorted(
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, BaseException)
    )
    assert errors.__all__ == defined


@pytest.mark.parametrize("kind", ALL)
def test_every_error_says_what_it_means(kind: type[TikTokAuthError]) -> None:
    """Every error class has a docstring of its own."""
    assert kind.__doc__
    assert kind is TikTokAuthError or kind.__doc__ != TikTokAuthError.__doc__


FULL = {"next_step": "Run: login {connection}", "code": "40110", "request_id": "2026"}


@pytest.mark.parametrize(
    ("fields", "connection", "line"),
    [
        (
            FULL,
            "acme",
            "connection acme: no (TikTok code 40110, request id 2026). Run: login acme",
        ),
        ({"next_step": "Run: login {connection}"}, None, "no. Run: login NAME"),
        ({}, None, "no."),
        ({"request_id": "7"}, None, "no (request id 7)."),
        ({"next_step": "Run: login {connection}"}, "a b", "connection a b: no. Run: login 'a b'"),
    ],
)
def test_line(fields: dict[str, str], connection: str | None, line: str) -> None:
    """The line names connection, cause, TikTok's code, its request id and the next command."""
    error = GrantRejected("no", **fields)
    if connection is not None:
        assert error.of(connection) is error
        assert error.connection == connection
    assert str(error) == line


def test_braces_of_a_cause_are_left_alone() -> None:
    """A cause is no template: braces that come from TikTok's text stay as they are."""
    assert str(RequestRefused("bad {connection} {0}").of("acme")) == (
        "connection acme: bad {connection} {0}."
    )


@pytest.mark.parametrize("kind", ALL)
def test_errors_survive_pickling(kind: type[TikTokAuthError]) -> None:
    """An error keeps its class, its fields and its line when another process raised it."""
    error = kind("cause", next_step="Run: x {connection}", code="1", request_id="2").of("acme")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is kind
    assert vars(copy) == vars(error)
    assert str(copy) == str(error)
