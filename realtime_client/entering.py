"""A session as an asynchronous context manager: connected on entering, closed on leaving.

What is true of a session of any kind is here: it is entered once, opened with a credential that
is asked for anew for each connection, kept alive by its keeper, and closed in bounded time from
any state. What a kind of session is for is its own.
"""

from __future__ import annotations

from inspect import iscoroutinefunction
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self

import anyio

from realtime_client.calling import Making
from realtime_client.connection import Connection
from realtime_client.credentials import Credential, Headers
from realtime_client.endpoints import Endpoint, endpoint_of, shown
from realtime_client.errors import ClientClosed, CredentialFailed, RealtimeError, UsageError
from realtime_client.given import check_kind, check_seconds
from realtime_client.keeper import Keeper
from realtime_client.leaves import Leaves
from realtime_client.protocol import Protocol
from realtime_client.reconnect import Reconnect
from realtime_client.restoring import Estate
from realtime_client.rollover import Rollover
from realtime_client.targets import Target
from realtime_client.trace import Trace
from realtime_client.transport import Connect, Keepalive, connect_websocket

if TYPE_CHECKING:
    from ssl import SSLContext

__all__ = ["Entering", "Means"]


class Means(NamedTuple):
    """What a session is connected with, and how long that may take. Times are in seconds."""

    endpoint: Endpoint
    connect: Connect
    open_timeout: float
    close_timeout: float
    patience: float
    """For the answer to a request about an item or the input buffer."""
    reconnect: Reconnect | None
    rollover: Rollover | None
    trace: Trace | None

    @classmethod
    def of(
        cls,
        endpoint: Endpoint | str | None,
        api_key: Credential | None,
        *,
        open_timeout: float,
        close_timeout: float,
        patience: float,
        keepalive: Keepalive | None,
        reconnect: Reconnect | None,
        rollover: Rollover | None,
        ssl: SSLContext | None,
        proxy: str | Literal[True] | None,
        connect: Connect | None,
        trace: Trace | None,
    ) -> Self:
        """The means that were given, by the names that `Client` and `Translator` give them.

        Raises:
            MissingCredentials: No key in either place.
            UsageError: It names the parameter and its range.
        """
        where = endpoint_of(endpoint, api_key)
        check_kind("reconnect", reconnect, Reconnect, "a Reconnect(...), or None for never")
        check_kind("rollover", rollover, Rollover, "a Rollover(...), or None for never")
        check_kind("keepalive", keepalive, Keepalive, "a Keepalive(...)")
        check_seconds("open_timeout", open_timeout, zero=False)
        check_seconds("close_timeout", close_timeout, zero=True)
        given: Any = trace
        if given is not None and (not callable(given) or iscoroutinefunction(given)):
            raise UsageError(
                "trace is a function of a direction and a frame, and not an async one: it is "
                f"called by those who read and write; got {trace!r}"
            )
        if not (connect is None or callable(connect)):
            raise UsageError(f"connect opens a transport from a URL and headers; got {connect!r}")
        connect = connect or connect_websocket(
            open_timeout=open_timeout,
            close_timeout=close_timeout,
            keepalive=keepalive,
            ssl=ssl,
            proxy=proxy,
        )
        return cls(
            where, connect, open_timeout, close_timeout, patience, reconnect, rollover, trace
        )

    @property
    def replay_ms(self) -> int:
        """Milliseconds of audio that the next connection may have to hear again."""
        planned = self.rollover.replay * 1000 if self.rollover else 0
        return int(max(planned, self.reconnect.audio.ms if self.reconnect else 0))


class Entering:
    """A session that is entered and left by its owner, once."""

    _means: Means
    _target: Target
    _connection: Connection | None = None
    _keeper: Keeper

    def __repr__(self) -> str:
        means = getattr(self, "_means", None)  # __init__ may have failed
        where = shown(means.endpoint.url) if means else "without an endpoint"
        return f"<{type(self).__name__} {where}>"

    # -- what a kind of session has of its own --------------------------------------------

    def _begin(self) -> None:
        """It is about to be connected."""

    def _furnish(self, connection: Connection) -> None:
        """The connection is there, to be opened: what belongs to it is made."""
        raise NotImplementedError

    def _new_core(self, before: Estate | None) -> Protocol:
        """The core of a link: with what the one before has left, if there was one."""
        raise NotImplementedError

    def _missed(self) -> Leaves:
        """What was asked for by others while there was no connection."""
        return {}

    def _moved(self, samples: int) -> None:
        """Another link is in force, which begins with this much audio of the old one."""
        raise NotImplementedError

    def _over(self) -> None:
        """It is being closed, or was not connected."""

    # -- entering and leaving -------------------------------------------------------------

    async def __aenter__(self) -> Self:
        """Connect, configure, and wait for the server's acknowledgement.

        Raises:
            ConnectFailed: No connection, or the server refused the session.
            SessionUpdateRejected: The server refused the configuration.
        """
        if self._connection is not None:
            name = type(self).__name__
            raise UsageError(f"a {name} is entered once; make another one for another session")
        try:
            self._begin()
            connection = self._connection = Connection(self._making())
            self._keeper = Keeper(connection)
            connection.on_moved = self._moved
            self._furnish(connection)
            await connection.enter()
            try:
                await self._keeper.open()
            except BaseException as error:
                closed = ClientClosed("it did not open")
                connection.finish(error if isinstance(error, RealtimeError) else closed)
                await connection.leave()
                raise
        except BaseException:
            self._over()
            raise
        if self._means.reconnect is not None or self._means.rollover is not None:
            connection.start(self._keeper.run, name="realtime_client keeper")
        return self

    def _making(self) -> Making:
        """How its links are made."""
        means = self._means
        return Making(
            core=self._new_core,
            connect=means.connect,
            where=self._where,
            close_timeout=means.close_timeout,
            patience=means.patience,
            reconnect=means.reconnect,
            # What a sideband joins is not its own to replace.
            rollover=None if self._target.kind == "sideband" else means.rollover,
            session_seconds=means.endpoint.dialect.session_seconds,
            trace=means.trace,
            missed=self._missed,
            joins=self._target.kind == "sideband",
        )

    async def _where(self) -> tuple[str, Headers]:
        """The address and the credential: anew for each connection, as tokens expire."""
        endpoint, seconds = self._means.endpoint, self._means.open_timeout
        with anyio.move_on_after(seconds):
            return endpoint.connect_url(self._target), await endpoint.connect_headers()
        raise CredentialFailed(f"no credential came within {seconds:g} seconds", retryable=True)

    async def aclose(self) -> None:
        """Close, in bounded time, from any state and any task. Every stream and call ends.

        Leaving the block does it, too. What was queued is written first, within the time for
        closing. A second call does nothing.
        """
        self._over()
        if self._connection is not None:
            self._keeper.close()
            await self._connection.aclose()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            await self.aclose()
            await self._open().leave()
        except anyio.get_cancelled_exc_class():
            # The owner is being cancelled. What his block raised is his, and comes first.
            if exc is None:
                raise

    def _open(self) -> Connection:
        if self._connection is None:
            name = type(self).__name__
            raise UsageError(f"it is not connected: use it as `async with {name}(...) as ...:`")
        return self._connection
