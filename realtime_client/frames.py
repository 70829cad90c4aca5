"""What goes in and out of the core: frames, what one of them was, and errors from both."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from realtime_client import events
from realtime_client.errors import ConnectionLost, RealtimeError, ServerError
from realtime_client.router import ResponseRecord, Verdict

__all__ = ["Frame", "Happened", "ending", "server_error", "shown"]


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
    """The `session` of a frame as the server wrote it, with fields that we have no name for."""
    session = msgspec.json.decode(data).get("session")
    return session if isinstance(session, dict) else None


def _text(value: object, name: str) -> str | None:
    field = getattr(value, name, None)
    return field if isinstance(field, str) else None
