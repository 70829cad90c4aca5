"""How a translation session ends: everything that was heard is translated, and then it is over.

`session.close` makes the server "flush pending input audio and emit any remaining translated
output"; `session.closed` says that it has. It is asked for once. What is said afterwards is heard
by nobody, or by the next session where there is one.
"""

from __future__ import annotations

from realtime_client.errors import ServerError, UsageError
from realtime_client.events import SessionClosed
from realtime_client.outcome import Outcome

__all__ = ["Closing"]


class Closing:
    """The end of one connection's session, asked for or not."""

    __slots__ = ("event_id", "is_asked", "is_done", "position")

    def __init__(self) -> None:
        self.is_asked = False
        """Whether nothing more is heard in this session."""
        self.is_done = False
        """Whether the server has said everything."""
        self.position = 0
        """How much had been appended when it was asked for, in bytes."""
        self.event_id = ""
        """The request for it."""

    def ask(self, event_id: str, position: int) -> None:
        """A `session.close` was queued, behind so much audio.

        Raises:
            UsageError: Another one was, before.
        """
        if self.is_asked:
            raise UsageError("session.close was sent already; nothing was sent")
        self.is_asked, self.event_id, self.position = True, event_id, position

    def on_closed(self, event: SessionClosed) -> Outcome | None:
        """The server has said everything; a server that ends by itself answers nobody."""
        if not self.is_asked or self.is_done:
            return None
        self.is_done = True
        return Outcome(self.event_id, event)

    def on_refused(self, event_id: str, error: ServerError) -> Outcome | None:
        """An `error` named the close: the session goes on."""
        if not self.is_asked or self.is_done or event_id != self.event_id:
            return None
        self.is_asked = False
        return Outcome(event_id, error=error)
