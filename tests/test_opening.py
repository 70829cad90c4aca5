"""The opening of a connection by itself: its phases, their times, and why it comes to nothing."""

from __future__ import annotations

import pytest

from realtime_client.errors import (
    ClientClosed,
    ConnectFailed,
    ConnectionLost,
    KeyRefused,
    ModelRefused,
    PolicyRefused,
    RealtimeError,
    ServerError,
    SessionRefused,
    SessionSilent,
)
from realtime_client.opening import CLOSE_FOLLOWS, Opening, refused
from realtime_client.outcome import Outcome


def opening(timeout: float = 5.0) -> Opening:
    return Opening("open", timeout, 100.0)


def why(outcome: Outcome | None) -> RealtimeError:
    assert outcome is not None
    assert outcome.event_id == "open"
    assert outcome.error is not None
    return outcome.error


# -- time -------------------------------------------------------------------------------------


def test_the_time_begins_anew_when_the_socket_is_open() -> None:
    one = opening()
    assert one.by == 105.0
    one.connected(104.0)
    assert one.by == 109.0


@pytest.mark.parametrize("now", [105.0, 1e6])
def test_silence_is_told_once_and_says_what_did_not_come(now: float) -> None:
    one = opening()
    assert one.on_deadline(104.9) is None
    error = why(one.on_deadline(now))
    assert isinstance(error, SessionSilent)
    assert str(error).endswith("it sent no session.created")
    assert (one.by, one.is_open) == (None, False)
    assert one.on_deadline(1e9) is None


def test_each_phase_has_its_own_time_and_its_own_name() -> None:
    one = opening()
    one.goes_on("session.updated", 104.0)
    assert one.by == 109.0
    one.goes_on("session.updated", 108.0)
    assert one.by == 109.0, "nothing new has come"
    one.goes_on("answer to the items", 108.0)
    assert one.by == 113.0
    assert str(why(one.on_deadline(113.0))).endswith("it sent no answer to the items")


def test_what_comes_in_parts_has_time_for_each() -> None:
    one = opening()
    one.goes_on("answer to the items", 104.0)
    for now in (108.0, 112.0, 116.0):
        one.moves(now)
        assert one.by == now + 5.0


def test_it_is_open_once_and_for_good() -> None:
    one = opening()
    assert one.done("session") == Outcome("open", "session")
    assert (one.by, one.is_open) == (None, True)
    assert one.on_deadline(1e9) is None


# -- refusals ---------------------------------------------------------------------------------


def test_a_refusal_waits_a_moment_for_its_close() -> None:
    one = opening()
    one.on_refusal(ServerError("first", code="a"), 101.0)
    one.on_refusal(ServerError("second", code="b"), 101.5)
    assert one.by == 101.0 + CLOSE_FOLLOWS
    assert one.on_deadline(101.9) is None
    error = why(one.on_deadline(102.0))
    assert type(error) is SessionRefused
    assert (error.code, error.close_code) == ("a", None)
    assert str(error) == "the server refused the session: a: first"


@pytest.mark.parametrize(
    ("code", "close_code", "kind"),
    [
        ("invalid_api_key", None, KeyRefused),
        ("whatever", 3000, KeyRefused),
        ("model_not_found", None, ModelRefused),
        ("beta_api_shape_disabled", None, ModelRefused),
        ("whatever", 4000, ModelRefused),
        ("whatever", 1008, PolicyRefused),
        ("whatever", 1011, SessionRefused),
        (None, None, SessionRefused),
    ],
)
def test_the_kind_is_in_the_close_code_or_in_the_name(
    code: str | None, close_code: int | None, kind: type[SessionRefused]
) -> None:
    error = refused("words", code=code, close_code=close_code)
    assert type(error) is kind
    assert (error.code, error.close_code) == (code, close_code)
    one = opening()
    one.on_refusal(ServerError("words", code=code), 100.0)
    told = why(one.on_lost(ConnectionLost("closed", close_code=close_code)))
    assert type(told) is kind
    assert "words" in str(told)
    assert "closed" not in str(told)
    assert one.by is None


@pytest.mark.parametrize(
    ("code", "type_"),
    [("insufficient_quota", None), (None, "insufficient_quota"), ("other", "insufficient_quota")],
)
def test_what_is_fatal_may_stand_in_the_code_or_in_the_type(
    code: str | None, type_: str | None
) -> None:
    one = opening()
    one.on_refusal(ServerError("no money", code=code, type=type_), 100.0)
    error = why(one.on_deadline(200.0))
    assert isinstance(error, SessionRefused)
    assert error.code == "insufficient_quota"
    assert not error.retryable


def test_an_error_before_a_session_that_comes_after_all_was_no_refusal() -> None:
    one, error = opening(), ServerError("a warning")
    one.on_refusal(error, 100.0)
    assert one.on_session() == [error]
    assert one.on_session() == []
    one.goes_on("session.updated", 100.5)
    assert one.by == 105.5
    assert isinstance(why(one.on_deadline(105.5)), SessionSilent)


# -- the connection goes first ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "kind"),
    [(3000, KeyRefused), (4000, ModelRefused), (1008, PolicyRefused), (1006, ConnectFailed)],
)
def test_a_close_alone_says_why(code: int, kind: type[ConnectFailed]) -> None:
    error = why(opening().on_lost(ConnectionLost("go away", close_code=code)))
    assert type(error) is kind
    assert "go away" in str(error)


def test_a_drop_may_be_tried_again() -> None:
    error = why(opening().on_lost(ConnectionLost("it dropped")))
    assert type(error) is ConnectFailed
    assert str(error) == "it dropped, before the session was open"
    assert error.retryable


def test_any_other_end_is_told_as_it_is() -> None:
    closed = ClientClosed("the client was closed")
    assert why(opening().on_lost(closed)) is closed
    one = opening()
    one.on_refusal(ServerError("bad key", code="invalid_api_key"), 100.0)
    assert type(why(one.on_lost(closed))) is KeyRefused, "what the server said comes first"
