"""What the server acknowledged about the session, and what is still on its way there.

`acknowledged` is the server's last word and nothing else: the `session` of the newest
`session.created` or `session.updated`. It is replaced whole, never merged, because servers
clamp, refill and ignore values, and only they know the result.

"`session.updated` carries no client id", so with several updates in flight only their order
could match them, and an error has been seen to overtake later answers. Therefore at most
one `session.update` is on the wire; the others wait here in order. `session.updated`
answers the one on the wire; an `error` with its `event_id` rejects it, and "an invalid
update is discarded whole". A `session.updated` while none is on the wire is somebody
else's doing (a sideband, a second party); it is the server's word all the same.
"""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple

from realtime_client.errors import ServerError, SessionUpdateRejected
from realtime_client.events import (
    Session,
    SessionConfig,
    SessionCreated,
    SessionUpdate,
    SessionUpdated,
    TranscriptionSessionConfig,
)
from realtime_client.outcome import Outcome

__all__ = ["Configuration"]

AnySession = SessionConfig | TranscriptionSessionConfig


class _Update(NamedTuple):
    event_id: str
    session: AnySession
    command: SessionUpdate | dict[str, Any]


class Configuration:
    """The session's configuration: the server's word, and the updates that wait for it."""

    __slots__ = ("_on_wire", "_waiting", "acknowledged")

    def __init__(self) -> None:
        self.acknowledged: Session | None = None
        """The server's session object, or None before `session.created`."""
        self._waiting: deque[_Update] = deque()
        self._on_wire: _Update | None = None

    @property
    def waiting(self) -> tuple[_Update, ...]:
        """The updates that are not on the wire yet, oldest first."""
        return tuple(self._waiting)

    @property
    def in_flight(self) -> tuple[AnySession, ...]:
        """The updates that were asked for and are not answered, oldest first."""
        on_wire = [self._on_wire] if self._on_wire else []
        return tuple(update.session for update in (*on_wire, *self._waiting))

    def ask(
        self, event_id: str, session: AnySession, command: SessionUpdate | dict[str, Any]
    ) -> None:
        """An update was asked for; `command` goes out as it is when its turn comes."""
        self._waiting.append(_Update(event_id, session, command))

    def next_update(self) -> SessionUpdate | dict[str, Any] | None:
        """The update whose turn it is, now on the wire; None while another one is."""
        if self._on_wire or not self._waiting or self.acknowledged is None:
            return None
        self._on_wire = self._waiting.popleft()
        return self._on_wire.command

    def on_created(self, event: SessionCreated) -> Outcome | None:
        """The session exists, with the server's defaults. That answers nobody's update."""
        self.acknowledged = event.session
        return None

    def on_updated(self, event: SessionUpdated) -> Outcome | None:
        """The server's new word; it answers the update on the wire, where there is one."""
        self.acknowledged = event.session
        answered, self._on_wire = self._on_wire, None
        return Outcome(answered.event_id, event) if answered else None

    def on_refused(self, event_id: str, error: ServerError) -> Outcome | None:
        """An `error` named an update: it is discarded whole, and the next one's turn comes."""
        if self._on_wire is None or self._on_wire.event_id != event_id:
            return None
        self._on_wire = None
        rejected = SessionUpdateRejected(
            error.message, code=error.code, type=error.type, param=error.param, event_id=event_id
        )
        return Outcome(event_id, error=rejected)
