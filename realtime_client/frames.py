"""What goes in and out of the core: frames, what one of them was, and errors from both."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import msgspec

from realtime_client import events
from realtime_client._repair import UNREADABLE
from realtime_client.acknowledgement import Effective
from realtime_client.errors import ConnectionLost, RealtimeError, ReconnectFailed, ServerError
from realtime_client.lives import ResponseRecord
from realtime_client.ruler import PCM, Form
from realtime_client.verdicts import Verdict

__all__ = [
    "Frame",
    "Happened",
    "detects",
    "ending",
    "heard_format",
    "interrupts",
    "output_format",
    "server_error",
    "shown",
    "transcribes",
]

DEEPEST: Final = 64
"""Levels of nesting in a session object; a tool's JSON schema has perhaps ten."""


class Frame(NamedTuple):
    """One frame of the wire, in either direction: the typed event, and its bytes."""

    event: Any
    raw: bytes

    @property
    def type(self) -> str | None:
        """The event's `type`; None for what is not an event at all."""
        kind: str | None = self.event.type
        return kind


class Happened(NamedTuple):
    """What one received frame was, and whom it concerns."""

    event: events.ServerEvent | events.UnknownEvent | events.InvalidEvent
    raw: bytes
    verdict: Verdict
    response: ResponseRecord | None


def ending(error: RealtimeError, uncertain: bool) -> RealtimeError:
    """How a request ends with its connection; `uncertain` where it had been written."""
    if isinstance(error, ReconnectFailed):
        return ReconnectFailed(
            str(error),
            close_code=error.close_code,
            uncertain=uncertain,
            cause=error.cause,
            tries=error.tries,
        )
    if not isinstance(error, ConnectionLost):
        return error
    return ConnectionLost(str(error), close_code=error.close_code, uncertain=uncertain)


def server_error(event: events.ErrorEvent) -> ServerError:
    """The server's words as an error of ours; some servers send a plain string."""
    details = event.error
    if isinstance(details, str):
        return ServerError(details)
    return ServerError(
        _text(details, "message") or "the server gave no message",
        code=_text(details, "code"),
        type=_text(details, "type"),
        param=_text(details, "param"),
        event_id=_text(details, "event_id"),
    )


def shown(data: bytes | str) -> dict[str, Any] | None:
    """The `session` of a frame as the server wrote it, with fields that we have no name for.

    None where one of those cannot be read (a number out of range, bytes that are no text) or
    is nested so deeply that it could not be compared: the typed session passed over it, and
    so must we.
    """
    try:
        session = msgspec.json.decode(data)["session"]
    except UNREADABLE:
        return None
    return session if isinstance(session, dict) and _is_shallow(session, DEEPEST) else None


def transcribes(session: Effective) -> bool:
    """Whether a session writes down what the user says."""
    if not isinstance(session, (events.SessionConfig, events.TranscriptionSessionConfig)):
        return False
    heard = session.audio.input if session.audio else None
    return bool(heard and heard.transcription)


def interrupts(session: Effective | None) -> bool:
    """Whether the server cancels what it says when the user speaks.

    `interrupt_response` is true where it is left out; without turn detection nobody listens.
    """
    if not isinstance(session, events.SessionConfig):
        return False
    heard = session.audio.input if session.audio else None
    detection = heard.turn_detection if heard else None
    return bool(detection) and getattr(detection, "interrupt_response", True) is not False


def detects(session: Effective) -> bool:
    """Whether the server finds the user's turns by itself.

    What a server does not say is taken for its default, which is that it does.
    """
    if not isinstance(session, (events.SessionConfig, events.TranscriptionSessionConfig)):
        return False
    heard = session.audio.input if session.audio else None
    return heard is None or heard is events.UNSET or heard.turn_detection is not None


def heard_format(session: Effective) -> Form:
    """How the user's audio lies in bytes."""
    if isinstance(session, (events.SessionConfig, events.TranscriptionSessionConfig)):
        heard = session.audio.input if session.audio else None
        form: Any = heard.format if heard else None
        kind = getattr(form, "type", None)
        if kind in ("audio/pcmu", "audio/pcma"):
            return Form(kind, 8_000, 1)
        rate = getattr(form, "rate", None)
        if isinstance(rate, int) and rate > 0:
            return PCM._replace(rate=rate)
    return PCM


def output_format(
    session: Effective | None, resource: events.ResponseResource
) -> events.AudioFormat | None:
    """What a response speaks in: as it says itself, or else as was acknowledged."""
    sides = [resource.audio, session.audio if isinstance(session, events.SessionConfig) else None]
    for side in sides:
        output = side.output if side else None
        if output and output.format:
            return output.format
    return None


def _is_shallow(value: object, levels: int) -> bool:
    """Whether a JSON value is nested no deeper than so many levels."""
    if not isinstance(value, (dict, list)):
        return True
    inner = value.values() if isinstance(value, dict) else value
    return levels > 0 and all(_is_shallow(one, levels - 1) for one in inner)


def _text(value: object, name: str) -> str | None:
    field = getattr(value, name, None)
    return field if isinstance(field, str) else None
