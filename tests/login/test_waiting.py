"""Waiting for a callback, and reading what is pasted meanwhile."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tap_tiktok_auth.login.address import CallbackAddress
from tap_tiktok_auth.login.attempt import Begun
from tap_tiktok_auth.login.waiting import Pasted, wait_for_callback

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = "https://example.com/"
BEGUN = Begun("acme", "https://tiktok.example/", "s", CallbackAddress(HERE, None), ())


@pytest.fixture(name="pipe")
def _pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    os.close(reading)
    os.close(writing)


def test_lines_that_come_together_are_read_one_by_one(pipe: tuple[int, int]) -> None:
    """A paste of several lines leaves none behind."""
    os.write(pipe[1], b"one\ntwo\nthr")
    pasted = Pasted(pipe[0])
    assert [pasted.line(0) for _ in range(3)] == ["one", "two", None]
    os.write(pipe[1], b"ee\xff\n")
    assert pasted.line(0) == "three\ufffd"


def test_an_end_of_input_is_no_end_of_the_login() -> None:
    """Whoever closes stdin may still answer in the browser: the wait goes on, to its end."""
    reading, writing = os.pipe()
    os.close(writing)
    assert wait_for_callback(BEGUN, None, Pasted(reading), 0.3, print) is None
    os.close(reading)


def test_nobody_answers() -> None:
    """When the time is over there is no callback, and no error."""
    assert wait_for_callback(BEGUN, None, None, 0, print) is None


def test_wrong_pastes_are_told_and_the_right_one_is_taken(pipe: tuple[int, int]) -> None:
    """Empty lines are passed over, wrong ones answered, and the right one ends the wait."""
    told: list[str] = []
    os.write(pipe[1], f"\n \nnonsense\n{HERE}?code=c&state=x\n{HERE}?code=c&state=s\n".encode())
    answer = wait_for_callback(BEGUN, None, Pasted(pipe[0]), 10, told.append)
    assert answer is not None
    assert (answer[0].code, answer[1]) == ("c", False)
    assert [line.split(".")[0] for line in told] == [
        "That is not an address",
        "That address belongs to another login, an older one perhaps",
    ]
