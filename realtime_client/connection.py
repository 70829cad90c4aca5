"""The session of one client: the link that serves it now, and the people who wait for it.

A link is one socket, and a session may outlive several: when one is lost, the keeper brings
another (see `keeper`), and what people hold of this object stays what it is. Frames go into the
core of a link, what happened comes out, and everybody whom it concerns is told, synchronously.

The task group is entered and left by the owner of the client, so cancellation of his task
reaches ours; but nothing that happens here is ever raised into his block. A broken
connection ends every stream and every waiting call with `ConnectionLost`, and they tell him.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import anyio.abc

from realtime_client.calling import Calling, Making
from realtime_client.errors import (
    ClientClosed,
    ConnectionLost,
    RealtimeError,
    ReconnectFailed,
)
from realtime_client.frames import Frame, Happened
from realtime_client.input import Unheard
from realtime_client.link import Link
from realtime_client.restoring import Estate
from realtime_client.streams import Bell
from realtime_client.trace import Direction, traced
from realtime_client.verdicts import DELTAS
from realtime_client.watches import Waiter

__all__ = ["Connection", "Making"]

_log = logging.getLogger("realtime_client")


class Connection(Calling):
    """A session, on one link after another. `enter` and `leave` belong to the same task."""

    def __init__(self, making: Making) -> None:
        super().__init__(making)
        self.link = Link(making.core(None), self, close_timeout=making.close_timeout)
        self.lost = Bell()
        """Rings when the link in force is lost, and at the end."""
        self.changed = Bell()
        """Rings when something has happened that may make it quiet."""
        self.on_moved: Callable[[int], None] = lambda samples: None
        """Told how many samples of audio a new link begins with."""
        self._links = [self.link]
        self._finished = Bell()
        self._running = 0
        """Tasks that have not ended."""
        self._tasks: anyio.abc.TaskGroup | None = None

    # -- opening and closing ----------------------------------------------------------

    async def enter(self) -> None:
        """Enter the task group of this session, in the owner's task."""
        tasks = anyio.create_task_group()
        await tasks.__aenter__()
        self._tasks = tasks

    async def open(self, link: Link) -> None:
        """Connect, and wait until the link is open.

        Raises:
            ConnectFailed: The address, the network, the handshake or the session.
            SessionUpdateRejected: The server refused the configuration.
        """
        begun = anyio.current_time()
        waiter = self.audience.waiting[link.protocol.opening] = Waiter()
        self.start(link.run, self.making.connect, self.making.where, name="realtime_client link")
        try:
            while not link.is_connected and link.error is None:
                await link.opened.wait()
            while waiter.outcome is None:
                await link.in_time(waiter.bell)
            link.answer = waiter.result()
            link.opened_in = anyio.current_time() - begun
        except BaseException:
            await link.aclose()
            raise
        finally:
            self.audience.waiting.pop(link.protocol.opening, None)

    def new_link(self, before: Estate | None) -> Link:
        """A link that is to be opened, with what the one before has left."""
        core = self.making.core(before)
        link = Link(core, self, close_timeout=self.making.close_timeout)
        self._links = [one for one in self._links if not one.is_finished]
        self._links.append(link)
        return link

    async def aclose(self) -> None:
        """Close, in bounded time, from any state and any task. Every stream and call ends.

        What was queued is written first, within the time for closing.
        """
        try:
            if self._outage is None:
                await self.link.aclose()
        finally:
            self.finish(ClientClosed("the client was closed"))
        for link in self._links:
            await link.aclose()

    async def leave(self) -> None:
        """End every task and leave the task group, in the owner's task.

        A tool that shields itself from cancellation is waited for, as Python has it.
        """
        tasks, self._tasks = self._tasks, None
        if tasks is None:
            return
        try:
            for link in self._links:
                await link.aclose()
        finally:
            tasks.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                while self._running:
                    await self._finished.wait()
            # No shield from here on: a task group is a scope, and cannot be left from inside
            # another one that was entered later. Nothing is left to wait for in it, and no
            # task that could raise: what the owner's block raises reaches him as it is.
            await tasks.__aexit__(None, None, None)

    def finish(self, error: RealtimeError) -> None:
        """The session is over for good: everything ends, once."""
        if self._ended is not None:
            return
        self._ended, self._outage = _for_good(error), None
        self.protocol.lost(error)
        self.on_news(self.link)
        self.audience.end(error)
        self._ring()

    def start(self, function: Callable[..., Awaitable[None]], *args: Any, name: str) -> None:
        """Run a task of this session, which is cancelled and awaited when it closes."""
        assert self._tasks is not None, "the session has been entered"
        self._running += 1
        self._tasks.start_soon(self._run, function, args, name=name)

    async def _run(self, function: Callable[..., Awaitable[None]], args: tuple[Any, ...]) -> None:
        try:
            await function(*args)
        except Exception as error:  # noqa: BLE001 - it never ends its host
            _log.error("a task of the connection failed", exc_info=error)
        except BaseExceptionGroup as group:
            # A cancelled task may bring errors of its own; they are not its owner's.
            errors, rest = group.split(Exception)
            _log.error("a task of the connection failed", exc_info=errors)
            if rest is not None:
                raise rest from None
        finally:
            self._running -= 1
            self._finished.ring()

    # -- one link after another ---------------------------------------------------------

    def replace(self, why: ConnectionLost) -> None:
        """The link in force makes room for another one, which is at hand."""
        self._outage = why
        self.link.lose(why)

    def take_over(self, link: Link, *, ms: int, is_lost: bool) -> tuple[Unheard, int]:
        """This link is in force from now on, in the place of one that is over.

        Of the audio that no turn held, the newest `ms` milliseconds are said again. Returns what
        there was of it, and how many bytes a sample of it has.
        """
        old, self.link = self.link, link
        ledger = old.protocol.input
        form = link.protocol.input.form
        unheard = ledger.unheard(ms=ms, is_lost=is_lost, form=form, goes_on=self.making.joins)
        link.protocol.take_over(unheard, old.protocol.pending)
        self._outage = None
        self.on_moved(len(unheard.audio) // ledger.width)
        self.start(old.aclose, name="realtime_client goodbye")
        self._ring()
        self.link.after()
        return unheard, ledger.width

    def _end_link(self, link: Link, error: RealtimeError) -> None:
        """What was going on on this link is over; the session goes on."""
        link.protocol.lost(error, comes_back=True)
        self.on_news(link)
        self.audience.lost(error)

    def _ring(self) -> None:
        """Whoever waits for anything has to look again."""
        for waiter in self.audience.waiting.values():
            waiter.bell.ring()
        bells = (self._outcome, self._over, self._returned, self.lost, self.changed)
        for bell in (*bells, self.link.drained):
            bell.ring()

    # -- from the links -------------------------------------------------------------------

    def on_frame(self, link: Link, happened: Happened, now: float) -> None:
        """A frame came. What belongs to the opening of another link concerns nobody."""
        self._trace("received", Frame(happened.event, happened.raw))
        if link is not self.link:
            return
        self.audience.tell(happened, now)
        if type(happened.event) not in DELTAS:
            self._over.ring()  # a response may be over, by whatever was said to it
            self.changed.ring()

    def on_sent(self, link: Link, frame: Frame) -> None:
        """A frame was written."""
        self._trace("sent", frame)
        if link is self.link:
            self.watches.tell(self.watches.sent, frame)

    def on_news(self, link: Link) -> None:
        """The core of a link has done something: tell everybody."""
        core = link.protocol
        ended = self.audience.settle(core)
        if link is self.link:
            if ended or core.router.abandoned:
                self._over.ring()
            self.audience.tell_notes(core)
        if ended:
            self._outcome.ring()
            self.changed.ring()

    def on_sooner(self, link: Link) -> None:
        """The writer may be stuck in the socket: those who wait keep the time, too."""
        for waiter in self.audience.waiting.values():
            waiter.bell.ring()

    def on_lost(self, link: Link, error: RealtimeError) -> None:
        """A link is over: the one in force, or one that was to be."""
        if link is not self.link or not link.protocol.is_open:
            link.protocol.lost(error)
            self.on_news(link)
        elif self._ended is None:
            # What has said its last at our word is being replaced, or was finished before.
            is_done = link.protocol.closing.is_done
            returns = self._outage is not None or self.making.reconnect is not None or is_done
            lost = isinstance(error, ConnectionLost) and returns
            over = self.making.joins and getattr(error, "close_code", None) == 1000
            if lost and not over:
                self._outage = error
                self._end_link(link, error)
                self._ring()
            else:
                self.finish(error)

    def _trace(self, direction: Direction, frame: Frame) -> None:
        if self.making.trace is not None:
            error = traced(self.making.trace, direction, frame)
            if error is not None:
                self.watches.tell(self.watches.errors, error)


def _for_good(error: RealtimeError) -> RealtimeError:
    """What ended a session, as everybody is told who comes later: there will be no other link."""
    if isinstance(error, ReconnectFailed) or not isinstance(error, ConnectionLost):
        return error
    words = f"{error}; the client does not reconnect"
    return ReconnectFailed(words, close_code=error.close_code, cause=error)
