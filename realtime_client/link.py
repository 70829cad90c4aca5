"""One socket and its core, and the two tasks that serve them.

The reader awaits the socket and nothing else, so that pings are answered and
acknowledgements arrive however slow the consumers are. The writer awaits the socket and the
bell that says there is something to write. Both decide nothing: a frame goes into the core,
and what happened is told to the owner, synchronously.

A link is opened and left by one task of its own, which no cancellation from outside reaches:
only the owner ends it, in order and in bounded time. So a client whose surrounding task is
cancelled still says goodbye to its server.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final, Protocol

import anyio

from realtime_client import protocol
from realtime_client.endpoints import Headers
from realtime_client.errors import ClientClosed, ConnectionLost, RealtimeError
from realtime_client.frames import Frame, Happened
from realtime_client.streams import Bell
from realtime_client.transport import Connect, Transport, TransportClosed

__all__ = ["Link", "Owner", "Where"]

_log = logging.getLogger("realtime_client")

GRACE: Final = 1.0
"""Seconds beyond the transport's own time for closing, before it is left behind."""

Where = Callable[[], Awaitable[tuple[str, Headers]]]
"""Gives the address and the headers of a connection: anew for each, as tokens expire."""


class Owner(Protocol):
    """Who is told what happens on a link."""

    def on_frame(self, link: Link, happened: Happened, now: float) -> None:
        """A frame came, and the core has taken it."""

    def on_sent(self, link: Link, frame: Frame) -> None:
        """A frame was written."""

    def on_news(self, link: Link) -> None:
        """The core has done something: requests may have got their end."""

    def on_sooner(self, link: Link) -> None:
        """The core has to be looked at sooner than anybody who waits knows."""

    def on_lost(self, link: Link, error: RealtimeError) -> None:
        """The link is over. Told once."""


class Link:
    """A connection to a server, from the handshake to the close."""

    def __init__(self, core: protocol.Protocol, owner: Owner, *, close_timeout: float) -> None:
        self.protocol = core
        self.error: RealtimeError | None = None
        """What ended it."""
        self.opened_at = math.inf
        """When the socket was open."""
        self.opened_in = math.inf
        """Seconds that its opening took, to the last acknowledgement."""
        self.opened = Bell()
        self.answer: Any = None
        """What its opening was answered with."""
        self.news = Bell()
        self.drained = Bell()
        self.finished = Bell()
        self.is_finished = False
        self._owner = owner
        self._close_timeout = close_timeout
        self._to_write = Bell()
        self._deadline = math.inf
        self._writing = False
        self._transport: Transport | None = None
        self._scope = anyio.CancelScope(shield=True)

    # -- opening and closing ----------------------------------------------------------

    @property
    def is_connected(self) -> bool:
        """Whether its socket has been open."""
        return self.opened_at != math.inf

    async def run(self, connect: Connect, where: Where) -> None:
        """Open the socket, serve it until it is over, and leave it. Raises nothing."""
        try:
            with self._scope:
                url, headers = await where()
                async with connect(url, headers) as transport:
                    self._transport = transport
                    await self._serve(transport)
        except Exception as error:  # noqa: BLE001 - it ends this connection and never its host
            self.lose(_known(error))
        finally:
            self.lose(ClientClosed("the client was closed"))
            self.is_finished = True
            self.finished.ring()

    async def _serve(self, transport: Transport) -> None:
        self.opened_at = anyio.current_time()
        self.protocol.connected(self.opened_at)
        self.opened.ring()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._write, transport, name="realtime_client writer")
            await self._read(transport)
            tasks.cancel_scope.cancel()

    async def aclose(self) -> None:
        """Write what is queued, say goodbye, and end the tasks, in bounded time.

        What is not written within the time for closing is not written.
        """
        with anyio.CancelScope(shield=True):
            with anyio.move_on_after(self._close_timeout):
                await self._write_rest()
            self.lose(ClientClosed("the client was closed"))
            if self._transport is None:
                self._scope.cancel()  # there is nobody to say goodbye to
            else:
                # The transport has its own bound on the closing handshake; ours comes after it.
                with anyio.move_on_after(self._close_timeout + GRACE):
                    await self._transport.aclose()
                    await self._until_finished()
            self._scope.cancel()
            await self._until_finished()

    async def _until_finished(self) -> None:
        while not self.is_finished:
            await self.finished.wait()

    async def _write_rest(self) -> None:
        """Wait until everything that was queued is written, or can no longer be."""
        while self._transport is not None and self.error is None:
            if not self._writing and not self.protocol.outbox_bytes:
                return
            await self.drained.wait()

    def lose(self, error: RealtimeError) -> None:
        """The link is over, once."""
        if self.error is None:
            self.error = error
            try:
                self._owner.on_lost(self, error)
            finally:  # whoever waits is woken, whatever becomes of the telling
                for bell in (self._to_write, self.drained, self.opened, self.news):
                    bell.ring()

    # -- the two tasks ----------------------------------------------------------------

    async def _read(self, transport: Transport) -> None:
        try:
            while True:
                data = await transport.receive()
                if self.error is not None:
                    continue  # it was replaced, and says goodbye
                now = anyio.current_time()
                self._owner.on_frame(self, self.protocol.receive(data, now), now)
                self.after()
        except Exception as error:  # noqa: BLE001 - it ends this connection and never its host
            self.lose(_known(error))
            with suppress(Exception):
                # What still comes has to be read, or the library waits for room in its
                # buffer and never sees the answer to our close frame.
                while not isinstance(error, TransportClosed):
                    await transport.receive()

    async def _write(self, transport: Transport) -> None:
        try:
            while self.error is None:
                self._writing = True
                for frame in self.protocol.data_to_send():
                    await transport.send(frame.raw)
                    self._owner.on_sent(self, frame)
                self._writing = False
                self.drained.ring()
                if not self.protocol.outbox_bytes and self.error is None:
                    await self.in_time(self._to_write)
        except Exception as error:  # noqa: BLE001 - it ends this connection and never its host
            self.lose(_known(error))
        finally:
            self._writing = False

    # -- time -------------------------------------------------------------------------

    async def in_time(self, bell: Bell) -> None:
        """Wait for a bell, or for the core's next deadline. Whoever waits keeps the time."""
        deadline = self.protocol.next_deadline()
        self._deadline = math.inf if deadline is None else deadline
        if deadline is None:
            await bell.wait()
            return
        with anyio.CancelScope(deadline=deadline):
            await bell.wait()
        if anyio.current_time() >= deadline and self.error is None:
            self.protocol.on_deadline(anyio.current_time())
            self.after()

    def after(self) -> None:
        """After the core has done something: it is told, and what is ready is written."""
        self._owner.on_news(self)
        self.news.ring()
        deadline = self.protocol.next_deadline()
        nearer = deadline is not None and deadline < self._deadline
        if nearer or self.protocol.outbox_bytes:
            self._to_write.ring()
        if nearer:
            self._owner.on_sooner(self)


def _known(error: Exception) -> RealtimeError:
    """What ended a task, in the words of the error tree."""
    if isinstance(error, RealtimeError):
        return error
    if isinstance(error, TransportClosed):
        words = error.reason or "the server closed the connection"
        if error.code is None:
            words = f"the connection dropped: {error.reason}".removesuffix(": ")
        return ConnectionLost(words, close_code=error.code)
    _log.error("the connection ended on an unexpected error", exc_info=error)
    return ConnectionLost(f"the connection ended: {type(error).__name__}: {error}")
