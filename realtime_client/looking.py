"""What happens in a session, for whoever wants to know: streams from now on, and states."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from realtime_client.capabilities import Capabilities, capabilities_of
from realtime_client.changeover import Disconnected, Reconnected
from realtime_client.connection import Connection
from realtime_client.dialects import Dialect
from realtime_client.errors import RealtimeError
from realtime_client.events import RateLimit
from realtime_client.frames import Frame, Happened
from realtime_client.response import Response
from realtime_client.streams import Once
from realtime_client.usage import Totals
from realtime_client.user_turn import UserTurn

__all__ = ["Looking", "Watching"]


class Watching:
    """What can be seen of a session of any kind.

    Its streams outlive a connection that is replaced.
    """

    def _open(self) -> Connection:
        """The session, once it has been entered."""
        raise NotImplementedError

    def _live(self) -> Connection:
        connection = self._open()
        connection.check_alive()
        return connection

    def events(self) -> Once[Frame]:
        """Every event that the server sends from now on, typed, with its raw bytes."""
        watches = self._live().watches
        return watches.frames(watches.received, "events()")

    def sent(self) -> Once[Frame]:
        """Every event that goes out from now on, typed, with its raw bytes."""
        watches = self._live().watches
        return watches.frames(watches.sent, "sent()")

    def errors(self) -> Once[RealtimeError]:
        """Every error from now on that belongs to no call.

        A `ServerError` that names no request of ours, a frame that cannot be read, a trace that
        raised. The session goes on.
        """
        return self._live().watches.new_errors()

    def connections(self) -> Once[Disconnected | Reconnected]:
        """What becomes of the connection from now on: `Disconnected` where it is lost and
        another one is tried for, `Reconnected` where one is in force, with what it has."""
        return self._live().watches.new_connections()

    async def ready(self) -> None:
        """Wait for a connection where there is none now, because one was lost.

        Raises:
            ReconnectFailed: There will be none.
            ClientClosed: The client was closed.
        """
        await self._open().ready()

    @property
    def connect_seconds(self) -> float:
        """How long it took to make the connection that is in force, or was until it was lost.

        From the asking for the credential to the acknowledgement of the configuration, and of the
        conversation where it replaced another one.
        """
        return self._open().link.opened_in

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection now: not between a loss and what comes after it."""
        connection = self._open()
        return connection.outage is None and connection.ended is None


class Looking(Watching):
    """What can be seen of a conversation."""

    @property
    def _dialect(self) -> Dialect:
        """How the server speaks."""
        raise NotImplementedError

    def responses(self) -> Once[Response]:
        """Every response that begins from now on, whoever started it.

        The server starts responses by itself, after a turn that the VAD has ended or an
        idle time-out. The subscription begins with this call, so make it before what you
        want to hear the answer of.
        """
        return self._live().watches.new_responses()

    def orphans(self) -> Once[Happened]:
        """Every event from now on that nobody is told of, and why.

        `verdict` is `discarded` where its response was given up or is being cancelled,
        `orphan` where it names a response that nobody knows or that is over, `duplicate`
        where it has come before.
        """
        return self._live().watches.new_strays()

    def user_turns(self) -> Once[UserTurn]:
        """Every spoken turn of the user that begins from now on, with its transcript."""
        return self._live().audience.user_turns.subscribe()

    # -- what is known ------------------------------------------------------------------

    @property
    def active(self) -> bool:
        """Whether a response is being said or asked for."""
        return not self._open().protocol.router.is_idle

    @property
    def speech(self) -> str | None:
        """The item id of the turn in which the user is heard speaking now, by the VAD."""
        return self._open().protocol.turns.speaking

    @property
    def usage(self) -> Totals:
        """The tokens of the session so far, by kind, transcription included."""
        return self._open().protocol.usage.totals

    @property
    def rate_limits(self) -> Mapping[str, RateLimit]:
        """The last word of the server on each limit, by its name; many never say any."""
        return self._open().protocol.usage.rate_limits

    @property
    def stats(self) -> Mapping[str, Counter[str]]:
        """How many events of responses there were, by verdict and then by their type.

        `stats["discarded"].total()` is how many were discarded in all.
        """
        return self._open().protocol.router.stats

    @property
    def capabilities(self) -> Capabilities:
        """What this server can do, as far as its dialect and the acknowledged session say."""
        return capabilities_of(self._dialect, self._open().protocol.config.acknowledged)
