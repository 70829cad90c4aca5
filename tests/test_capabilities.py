"""What can be done in a session: its dialect, and what the server acknowledged."""

from __future__ import annotations

from dataclasses import asdict, fields, replace
from typing import Any

import pytest

from realtime_client import events
from realtime_client.capabilities import Capabilities, capabilities_of
from realtime_client.codec import decode
from realtime_client.dialects import GA, VOICE_LIVE, XAI_GROK, Dialect
from tests import wire

NOW = {
    "truncation",
    "turn_detection",
    "user_transcription",
    "audio_output",
    "manual_function_calls",
    "per_response_tool_choice",
    "out_of_band",
}
"""What depends on the session."""


def session(**fields: Any) -> events.Session:
    event = decode(wire.frame("session.updated", session=fields))
    assert isinstance(event, events.SessionUpdated)
    return event.session


def heard(**fields: Any) -> events.Session:
    return session(type="realtime", audio={"input": fields})


def on(capabilities: Capabilities) -> set[str]:
    return {name for name, value in asdict(capabilities).items() if value is True}


def test_before_there_is_a_session_nothing_can_be_done() -> None:
    known = capabilities_of(GA, None)
    assert not on(known) & NOW
    assert known.session_seconds == 3600.0
    assert known.dialect == "ga"


def test_what_a_server_does_not_say_is_its_default() -> None:
    known = capabilities_of(GA, session(type="realtime"))
    assert on(known) & NOW == NOW - {"user_transcription"}


@pytest.mark.parametrize(
    ("detection", "expected"),
    [(None, False), ({"type": "server_vad"}, True), ({"type": "azure_semantic_vad"}, True)],
)
def test_turn_detection_is_what_was_acknowledged(detection: Any, expected: bool) -> None:
    assert capabilities_of(GA, heard(turn_detection=detection)).turn_detection is expected


@pytest.mark.parametrize(("transcription", "expected"), [(None, False), ({"model": "w"}, True)])
def test_transcription_is_what_was_acknowledged(transcription: Any, expected: bool) -> None:
    known = capabilities_of(GA, heard(transcription=transcription))
    assert known.user_transcription is expected


@pytest.mark.parametrize(
    ("modalities", "expected"), [(["audio"], True), (["text"], False), (None, True)]
)
def test_audio_is_what_was_acknowledged(modalities: Any, expected: bool) -> None:
    known = capabilities_of(GA, session(type="realtime", output_modalities=modalities))
    assert known.audio_output is expected


def test_a_session_that_only_transcribes_answers_nothing() -> None:
    shown = session(
        type="transcription",
        audio={"input": {"transcription": {"model": "w"}, "turn_detection": None}},
    )
    assert on(capabilities_of(GA, shown)) & NOW == {"user_transcription"}


def test_a_session_that_cannot_be_read_promises_nothing() -> None:
    assert not on(capabilities_of(GA, session(type="holograms"))) & NOW


def test_the_dialect_says_the_rest() -> None:
    shown = session(type="realtime")
    for flag in fields(Dialect):
        if isinstance(getattr(GA, flag.name), bool):
            changed: Any = {flag.name: False}
            off = capabilities_of(replace(GA, **changed), shown)
            name = {"response_tool_choice": "per_response_tool_choice"}.get(flag.name, flag.name)
            assert on(capabilities_of(GA, shown)) - on(off) == {name}


def test_capabilities_of_known_servers() -> None:
    shown = session(type="realtime")
    assert not capabilities_of(XAI_GROK, shown).per_response_tool_choice
    assert not capabilities_of(XAI_GROK, shown).out_of_band
    assert capabilities_of(XAI_GROK, shown).session_seconds is None
    assert capabilities_of(VOICE_LIVE, shown).session_seconds == 3600.0
