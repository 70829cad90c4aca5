"""What is read out of a session object, and how a request ends with its connection."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_client import events
from realtime_client.codec import decode
from realtime_client.dialects import XAI_GROK, incoming
from realtime_client.errors import ClientClosed, ConnectionLost, ReconnectFailed, ServerError
from realtime_client.frames import detects, ending, heard_format
from realtime_client.ruler import PCM, Form
from tests import wire


def session(**heard: Any) -> Any:
    """A session as the server would show it, with this of its input."""
    frame = wire.frame("session.created", session={"type": "realtime", "audio": {"input": heard}})
    return read(frame)


def read(frame: bytes) -> Any:
    event = decode(frame)
    assert isinstance(event, events.SessionCreated)
    return event.session


def bare(**fields: Any) -> Any:
    return read(wire.frame("session.created", session={"type": "realtime", **fields}))


# -- turn detection ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shown", "finds"),
    [
        (session(turn_detection=None), False),
        (session(turn_detection={"type": "server_vad"}), True),
        (session(turn_detection={"type": "semantic_vad", "create_response": False}), True),
        (session(turn_detection={"type": "brand_new_vad"}), True),
        (session(), True),
        (bare(), True),
        (bare(audio=None), True),
        (bare(audio={}), True),
        (bare(audio={"input": None}), True),
    ],
)
def test_turn_detection_is_on_where_it_is_not_off(shown: Any, finds: bool) -> None:
    assert detects(shown) is finds


def test_no_turns_are_found_where_there_are_none() -> None:
    assert not detects(events.UnknownVariant(raw={"type": "odd"}))
    assert not detects(events.TranslationSessionConfig())
    whisper = {"type": "transcription", "audio": {"input": {"turn_detection": None}}}
    assert not detects(read(wire.frame("session.created", session=whisper)))
    listening = {"type": "transcription", "audio": {"input": {}}}
    assert detects(read(wire.frame("session.created", session=listening)))


def test_xai_s_way_to_say_that_it_is_off() -> None:
    theirs = wire.frame("session.created", session={"turn_detection": {"type": None}})
    assert not detects(read(incoming(XAI_GROK, theirs)))


# -- the format --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shown", "form"),
    [
        (session(format={"type": "audio/pcm", "rate": 24_000}), PCM),
        (session(format={"type": "audio/pcm", "rate": 16_000}), Form("audio/pcm", 16_000, 2)),
        (session(format={"type": "audio/pcmu"}), Form("audio/pcmu", 8_000, 1)),
        (session(format={"type": "audio/pcma"}), Form("audio/pcma", 8_000, 1)),
        (session(format={"type": "audio/pcm"}), PCM),
        (session(format={"type": "audio/pcm", "rate": 0}), PCM),
        (session(format=None), PCM),
        (session(), PCM),
        (bare(), PCM),
        (bare(audio=None), PCM),
        (events.UnknownVariant(raw={}), PCM),
        (events.TranslationSessionConfig(), PCM),
    ],
)
def test_how_the_users_audio_lies_in_bytes(shown: Any, form: Form) -> None:
    assert heard_format(shown) == form


# -- how a request ends ------------------------------------------------------------------------


@pytest.mark.parametrize("uncertain", [False, True])
def test_a_loss_says_whether_the_server_may_have_acted(uncertain: bool) -> None:
    error = ending(
        ConnectionLost("it dropped", close_code=1006, uncertain=not uncertain), uncertain
    )
    assert type(error) is ConnectionLost
    assert (str(error), error.close_code, error.uncertain) == ("it dropped", 1006, uncertain)


def test_the_end_for_good_stays_what_it_is() -> None:
    cause = ServerError("no")
    error = ending(ReconnectFailed("over", close_code=4000, cause=cause, tries=3), uncertain=True)
    assert type(error) is ReconnectFailed
    assert (error.close_code, error.cause, error.tries, error.uncertain) == (4000, cause, 3, True)
    assert not error.retryable


def test_any_other_end_is_told_as_it_is() -> None:
    closed = ClientClosed("the client was closed")
    assert ending(closed, uncertain=True) is closed
