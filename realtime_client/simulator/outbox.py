"""What leaves the server: every event with its id, and whatever a test has made of it.

Ids are given first and `SimulatorPolicy.tamper` is asked afterwards, so what it returns twice
goes out twice under one id, as a true duplicate does, and what it holds back keeps the id of
the moment at which it was due. Only an event of its own making, which has none, gets a new one.
"""

from msgspec.structs import replace

from realtime_client.codec import encode
from realtime_client.events import UNSET, ServerEvent
from realtime_client.simulator.policy import Tamper
from realtime_client.simulator.services import Ids

__all__ = ["Outbox"]


class Outbox:
    """The frames of one session that nobody has written yet."""

    def __init__(self, ids: Ids, tamper: Tamper | None) -> None:
        self._ids = ids
        self._tamper = tamper
        self._frames: list[bytes] = []

    def emit(self, event: ServerEvent) -> None:
        """Put an event out, or what is to go out in its place."""
        event = self._named(event)
        for one in (event,) if self._tamper is None else self._tamper(event):
            self._frames.append(self.frame(one))

    def frame(self, event: ServerEvent) -> bytes:
        """Return an event as a frame, with an id, and put nothing out."""
        return encode(self._named(event))

    def take(self) -> list[bytes]:
        """Return the frames, in order, once."""
        frames, self._frames = self._frames, []
        return frames

    def _named(self, event: ServerEvent) -> ServerEvent:
        if event.event_id is not UNSET:
            return event
        return replace(event, event_id=self._ids("event"))
