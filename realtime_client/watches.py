"""Who waits for what: watches of a stream of things, and waiters for one outcome.

A watch is known by weak reference only, so whoever stops listening has nothing to undo. Each
is bounded by itself: one that nobody reads ends with `SlowConsumer`, and no other notices.
"""

from __future__ import annotations

from typing import Any, Final, TypeVar
from weakref import WeakSet

from realtime_client.acknowledgement import Notice
from realtime_client.changeover import Disconnected, Reconnected
from realtime_client.conversation import Change
from realtime_client.errors import ClientClosed, RealtimeError
from realtime_client.frames import Frame, Happened
from realtime_client.outcome import Outcome
from realtime_client.playback import StopPlaying
from realtime_client.response import Response
from realtime_client.streams import Bell, Once

__all__ = ["Waiter", "Watches"]

T = TypeVar("T")

FRAMES_BOUND: Final = 64 * 1024 * 1024
"""Bytes of frames that one unread `events()` or `sent()` may hold."""

NOTICES_BOUND: Final = 10_000
"""Changes of the configuration that one unread watch may hold."""

STRAYS_BOUND: Final = 16 * 1024 * 1024
"""Bytes of frames that belong to nobody that one unread `orphans()` may hold."""

RESPONSES_BOUND: Final = 64
"""Responses that one unread `responses()` may hold."""


class Watches:
    """Everybody who watches one session, by what they watch."""

    def __init__(self) -> None:
        self.received: WeakSet[Once[Frame]] = WeakSet()
        self.sent: WeakSet[Once[Frame]] = WeakSet()
        self.responses: WeakSet[Once[Response]] = WeakSet()
        self.notices: WeakSet[Once[Notice]] = WeakSet()
        self.strays: WeakSet[Once[Happened]] = WeakSet()
        self.changes: WeakSet[Once[Change]] = WeakSet()
        self.stops: WeakSet[Once[StopPlaying]] = WeakSet()
        self.errors: WeakSet[Once[RealtimeError]] = WeakSet()
        self.connections: WeakSet[Once[Disconnected | Reconnected]] = WeakSet()

    def frames(self, where: WeakSet[Once[Frame]], what: str) -> Once[Frame]:
        """A new watch of the frames of one direction, from now on."""
        watch: Once[Frame] = Once(what, bound=FRAMES_BOUND, size=lambda frame: len(frame.raw))
        where.add(watch)
        return watch

    def new_strays(self) -> Once[Happened]:
        """A new watch of the events that nobody is told of, from now on."""
        watch: Once[Happened] = Once(
            "orphans()", bound=STRAYS_BOUND, size=lambda happened: len(happened.raw)
        )
        self.strays.add(watch)
        return watch

    def new_responses(self) -> Once[Response]:
        """A new watch of the responses that begin from now on."""
        return _counted(self.responses, "responses()", RESPONSES_BOUND, "responses")

    def new_notices(self) -> Once[Notice]:
        """A new watch of what happens to the configuration, from now on."""
        return _counted(self.notices, "session.notices()", NOTICES_BOUND, "notices")

    def new_changes(self) -> Once[Change]:
        """A new watch of what happens to the conversation, from now on."""
        return _counted(self.changes, "conversation.changes()", NOTICES_BOUND, "changes")

    def new_stops(self) -> Once[StopPlaying]:
        """A new watch of the interruptions of playing, from now on."""
        return _counted(self.stops, "playback.stops()", NOTICES_BOUND, "stops")

    def new_errors(self) -> Once[RealtimeError]:
        """A new watch of the errors that belong to no call, from now on."""
        return _counted(self.errors, "errors()", NOTICES_BOUND, "errors")

    def new_connections(self) -> Once[Disconnected | Reconnected]:
        """A new watch of what becomes of the connection, from now on."""
        return _counted(self.connections, "connections()", NOTICES_BOUND, "changes")

    def tell(self, watches: WeakSet[Once[T]], news: T) -> None:
        """Hand something to everybody who watches for it."""
        for watch in watches:
            watch.push(news)

    def end(self, error: RealtimeError) -> None:
        """The connection is over; closing it oneself is no error."""
        watches: list[Once[Any]] = [
            *self.received,
            *self.sent,
            *self.responses,
            *self.notices,
            *self.strays,
            *self.changes,
            *self.stops,
            *self.errors,
            *self.connections,
        ]
        for watch in watches:
            watch.end(None if isinstance(error, ClientClosed) else error)


def _counted(watches: WeakSet[Once[T]], what: str, bound: int, unit: str) -> Once[T]:
    """A new watch that is bounded by the number of what it holds."""
    watch: Once[T] = Once(what, bound=bound, size=lambda _: 1, unit=unit)
    watches.add(watch)
    return watch


class Waiter:
    """One caller who waits for one outcome."""

    __slots__ = ("bell", "outcome")

    def __init__(self) -> None:
        self.bell = Bell()
        self.outcome: Outcome | None = None

    def resolve(self, outcome: Outcome) -> None:
        """The end has come; the first one counts."""
        if self.outcome is None:
            self.outcome = outcome
            self.bell.ring()

    def result(self) -> Any:
        """The answer, or the error raised."""
        assert self.outcome is not None
        if self.outcome.error is not None:
            raise self.outcome.error.with_traceback(None)
        return self.outcome.answer
