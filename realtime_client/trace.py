"""Everything that crosses the wire, for whoever has to find out what happened.

`Client(trace=...)` is called with each frame of every connection, those of an opening included,
in both directions. A trace ends in a file or a bug report, so the credentials of tools have
`***` in their place there, in the bytes and in the event; `events()` and `sent()` show frames
as they are. A trace that raises is reported and never ends a session.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final, Literal

import msgspec

from realtime_client._repair import UNREADABLE
from realtime_client.codec import decode, decode_client, encode
from realtime_client.errors import RealtimeError, TraceFailed
from realtime_client.events import InvalidEvent, UnknownEvent
from realtime_client.frames import Frame
from realtime_client.redaction import HIDDEN, redacted

__all__ = ["Direction", "Trace", "traced"]

Direction = Literal["sent", "received"]
Trace = Callable[[Direction, Frame], None]
"""What `Client(trace=...)` takes: called in order, by the reader and the writer, so briefly."""

_log = logging.getLogger("realtime_client")

_MAY_HOLD: Final = (b'"authorization"', b'"headers"', b'"server_url"', b"\\u")
"""What has none of these has no credentials of tools; an escape might hide them."""

_UNREADABLE: Final = "it cannot be read, and may hold credentials"
_NOTHING: Final = encode({"type": HIDDEN})


def traced(trace: Trace, direction: Direction, frame: Frame) -> RealtimeError | None:
    """Show a frame; returns what to report if that failed."""
    try:
        trace(direction, _harmless(direction, frame))
    except Exception as error:  # noqa: BLE001 - somebody else's code never ends a session
        _log.error("the trace raised", exc_info=error)
        return TraceFailed(error)
    return None


def _harmless(direction: Direction, frame: Frame) -> Frame:
    """The frame without the credentials of tools: itself, where it has none.

    What cannot be read may hold some, and is not shown.
    """
    if not any(name in frame.raw for name in _MAY_HOLD):
        return frame
    read = decode if direction == "received" else decode_client
    try:
        clean = _clean(frame.raw)
        if clean is None:
            return frame
        if isinstance(frame.event, UnknownEvent | InvalidEvent):
            return Frame(read(clean), clean)
        # The event is GA's, and the bytes are as the server's dialect has them.
        return Frame(read(_clean(encode(frame.event)) or clean), clean)
    except UNREADABLE:
        return Frame(InvalidEvent(type=None, reason=_UNREADABLE, raw=_NOTHING), _NOTHING)


def _clean(raw: bytes) -> bytes | None:
    """A frame with its credentials hidden; None where it has none."""
    plain: Any = msgspec.json.decode(raw)
    hidden: Any = redacted(plain)
    return None if hidden == plain else encode(hidden)
