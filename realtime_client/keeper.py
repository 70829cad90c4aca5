"""Keeps a session alive beyond its connection: by a new one when it is lost, or before it ends.

What is to be done is decided elsewhere: when to try again in `reconnect`, when to change in
`rollover`, what is carried over in the core. Here it is done, in one task of the session. A
link is first opened and made to know what the old one knew; then, in one step that nothing can
come in between, it takes the old one's place.

A lost connection::

    lost --> pause --> try --> open, restored --> in force
               ^        |
               +--------+   until the budget is spent, or the refusal is fatal

A connection that is to end::

    in force ... first moment --> open another, restored --> catch up with the old one
                                    --> a quiet moment, or the latest one --> in force
"""

from __future__ import annotations

import logging
import math
import random
from typing import Final

import anyio

from realtime_client.acknowledgement import Acknowledgement
from realtime_client.changeover import Disconnected, Reconnected
from realtime_client.connection import Connection
from realtime_client.errors import (
    ConnectFailed,
    ConnectionLost,
    RealtimeError,
    ReconnectFailed,
    SessionSilent,
)
from realtime_client.fatal import is_fatal
from realtime_client.input import Span
from realtime_client.leaves import whole
from realtime_client.link import Link
from realtime_client.opening import refused
from realtime_client.reconnect import Budget, Reconnect
from realtime_client.restoring import Estate
from realtime_client.rollover import Moments, Rollover, moments
from realtime_client.streams import Bell

__all__ = ["Keeper"]

_log = logging.getLogger("realtime_client")

AGAIN: Final = 5.0
"""Seconds until another link is tried for, while the old one still serves."""

LOOK: Final = 0.25
"""Seconds between two looks whether it is quiet: nothing tells when the playing has ended."""

CATCH_UP: Final = 10.0
"""Seconds for what was said meanwhile to be known to the new session."""


class Keeper:
    """The keeper of one session."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._making = connection.making
        self._policy = connection.making.reconnect or Reconnect()
        self._budget = Budget(self._policy)
        self._scope = anyio.CancelScope()
        self._tried = 0
        """The tries of the budget before the connection was lost."""
        self._stays: Link | None = None
        """The link that is not replaced in time, because no other is to be had."""

    async def open(self) -> None:
        """Open the first link; try again, where that is wanted.

        Raises:
            ConnectFailed: There is no connection, or the server refused the session.
            SessionUpdateRejected: The server refused the configuration.
        """
        connection = self._connection
        while True:
            try:
                await connection.open(connection.link)
            except RealtimeError as error:
                wanted = self._making.reconnect is not None and self._policy.opening
                self._budget.on_lost(anyio.current_time())
                if not wanted or not error.retryable or not await self._pause(error):
                    raise
                connection.check_alive()  # it may have been closed meanwhile
                connection.link = connection.new_link(None)
            else:
                self._budget.on_open(anyio.current_time())
                return

    async def run(self) -> None:
        """Stay, until the session is over for good."""
        with self._scope:
            try:
                await self._stay()
            except Exception as error:
                # Nobody would bring another connection, so nobody is to wait for one.
                words = f"the connection cannot be kept: {type(error).__name__}"
                known = error if isinstance(error, RealtimeError) else None
                self._connection.finish(ReconnectFailed(words, cause=known))
                raise

    async def _stay(self) -> None:
        connection = self._connection
        while connection.ended is None:
            when = self._moments()
            if connection.outage is not None:
                await self._come_back(connection.outage, None, planned=False)
            elif when is None or anyio.current_time() < when.first:
                await _until(connection.lost, math.inf if when is None else when.first)
            else:
                await self._change_over(when)

    def close(self) -> None:
        """Nothing is kept alive any more."""
        self._scope.cancel()

    # -- a connection that was lost -----------------------------------------------------

    async def _come_back(self, lost: RealtimeError, link: Link | None, *, planned: bool) -> None:
        """Put another link in the place of the lost one: this one, or whichever can be had."""
        begun = anyio.current_time()
        self._budget.on_lost(begun)
        self._tried = self._budget.tried
        if not planned:
            self._tell_lost(lost)
        last, cause = lost, None if planned else self._fatal(lost)
        while cause is None:
            if link is None and not await self._pause(last):
                cause = last
                break
            try:
                if link is None:
                    link = await self._another(self._budget.left(anyio.current_time()))
                await self._caught_up(link)
            except RealtimeError as error:
                if planned:
                    planned = False
                    self._tell_lost(lost)
                _log.warning("no other connection yet: %s", error)
                again = error.retryable and self._making.reconnect is not None
                link, last, cause = None, error, None if again else error
            else:
                self._take_over(link, lost, begun, planned=planned)
                return
        self._give_up(lost, cause)
        if link is not None:
            await link.aclose()

    async def _pause(self, last: RealtimeError) -> bool:
        """Wait before a try, as long as the server has asked for; whether there is one."""
        now = anyio.current_time()
        asked = getattr(last, "retry_after", None) or 0.0
        delay = self._budget.next_delay(now, random.random(), asked)
        if delay is not None:
            await _until(self._connection.lost, now + delay)  # or until it is closed
        return delay is not None

    async def _another(self, seconds: float) -> Link:
        """Another link, which knows what the one in force knows, or knew.

        Raises:
            RealtimeError: It could not be had, or not in this time.
        """
        connection = self._connection
        link = connection.new_link(self._estate())
        with anyio.move_on_after(seconds):
            await connection.open(link)
            return link
        raise SessionSilent("the time for reconnecting is over")

    def _estate(self) -> Estate:
        """What the link in force knows, or knew, and what was asked for since it was lost."""
        estate = self._connection.protocol.estate(anyio.current_time())
        carried = estate.carried.session
        session = {**carried, **whole(self._making.missed(), carried)}
        return estate._replace(carried=estate.carried._replace(session=session))

    async def _caught_up(self, link: Link) -> None:
        """What has been said since the link was made is known to it, too.

        Raises:
            RealtimeError: It has failed, or does not answer.
        """
        with anyio.move_on_after(CATCH_UP):
            while link.error is None:
                if await self._knows_all(link):
                    return
                link.after()
                await link.in_time(link.news)
        error = link.error or SessionSilent("it sent no answer to what was restored")
        await link.aclose()
        raise error

    def _take_over(self, link: Link, lost: RealtimeError, begun: float, *, planned: bool) -> None:
        connection, tries = self._connection, self._budget.tried - self._tried
        rollover = self._making.rollover or Rollover()
        ms = int(rollover.replay * 1000) if planned else self._policy.audio.ms
        unheard, width = connection.take_over(link, ms=ms, is_lost=not planned)
        now, restoring = anyio.current_time(), link.protocol.restoring
        assert restoring is not None, "it was made of what another one has left"
        answer = link.answer
        report = Reconnected(
            planned=planned,
            error=lost,
            tries=0 if planned else tries,
            seconds=0.0 if planned else now - begun,
            effective=link.protocol.config.acknowledged,
            ignored=answer.ignored if isinstance(answer, Acknowledgement) else (),
            restored=restoring.restored,
            not_restored=restoring.left,
            forgotten=restoring.forgotten,
            replayed=Span(unheard.base, unheard.base + len(unheard.audio) // width),
            dropped=unheard.dropped,
        )
        self._budget.on_open(now)
        connection.watches.tell(connection.watches.connections, report)

    def _tell_lost(self, lost: RealtimeError) -> None:
        watches = self._connection.watches
        watches.tell(watches.connections, Disconnected(lost))
        _log.warning("the connection is lost: %s", lost)

    def _fatal(self, lost: RealtimeError) -> RealtimeError | None:
        """What says that trying again is of no use."""
        code = getattr(lost, "close_code", None)
        if is_fatal(code):
            return refused(str(lost), close_code=code)
        return self._connection.protocol.fatal

    def _give_up(self, lost: RealtimeError, cause: RealtimeError) -> None:
        tried = self._budget.tried
        words = f"{lost}; " + (
            "no other connection could be had" if tried else "trying again is of no use"
        )
        if cause is not lost:
            words += f": {cause}"
        code = getattr(lost, "close_code", None)
        error = ReconnectFailed(words, close_code=code, cause=cause, tries=tried)
        self._connection.finish(error)

    # -- a connection that is to end ------------------------------------------------------

    def _moments(self) -> Moments | None:
        connection, policy = self._connection, self._making.rollover
        if policy is None or connection.link is self._stays:
            return None
        return moments(policy, connection.link.opened_at, self._making.session_seconds)

    async def _change_over(self, when: Moments) -> None:
        """Have another link at hand, and change to it in a quiet moment, or in the latest."""
        connection = self._connection
        try:
            link = await self._another(CATCH_UP)
        except RealtimeError as error:
            _log.warning("no other connection to change to: %s", error)
            if not error.retryable:
                self._stays = connection.link
            await self._while_it_serves(AGAIN)
            return
        while link.error is None and connection.ended is None:
            if connection.outage is not None:
                await self._come_back(connection.outage, link, planned=False)
                return
            try:
                is_time = await self._is_time(link, when)
            except ConnectFailed as error:
                _log.warning("%s", error)
                break
            if is_time:
                if self._making.flush is not None:
                    await self._making.flush()
                    if self._connection.ended is not None:
                        break
                    gone = self._connection.outage
                    if gone is not None:  # it has said its last, and was closed for that
                        await self._come_back(gone, link, planned=True)
                        return
                why = ConnectionLost("the session was about to end, and was replaced")
                connection.replace(why)
                await self._come_back(why, link, planned=True)
                return
        await link.aclose()
        await self._while_it_serves(AGAIN)

    @property
    def _is_over(self) -> bool:
        """Whether the link in force does not serve any more."""
        return self._connection.outage is not None or self._connection.ended is not None

    async def _while_it_serves(self, seconds: float) -> None:
        """Wait, unless the link in force is lost already, or as soon as it is."""
        if not self._is_over:
            await _until(self._connection.lost, anyio.current_time() + seconds)

    async def _is_time(self, link: Link, when: Moments) -> bool:
        """Whether the link is to take over now; waits a little where it is not."""
        core, now = self._connection.protocol, anyio.current_time()
        if now >= when.latest:
            return True
        if not core.is_quiet(now):
            await _until(self._connection.changed, min(when.latest, now + LOOK))
        elif await self._knows_all(link):
            return True
        elif link.error is None:
            link.after()
            with anyio.CancelScope(deadline=min(when.latest, now + LOOK)):
                await link.in_time(link.news)
        return False

    async def _knows_all(self, link: Link) -> bool:
        """Whether another link knows what the one in force knows.

        Raises:
            ConnectFailed: It never will, and is left.
        """
        try:
            return link.protocol.catch_up(self._estate(), anyio.current_time())
        except RealtimeError as error:
            await link.aclose()
            raise ConnectFailed(f"the other connection cannot be used: {error}") from error


async def _until(bell: Bell, by: float) -> None:
    with anyio.CancelScope(deadline=by):
        await bell.wait()
