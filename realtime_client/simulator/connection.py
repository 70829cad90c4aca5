"""One connection as the server has it, and what can be done to it.

A `SimulatedSession` knows what is said; what carries the frames, a socket or a queue, knows
how. Between them stands the connection, because what goes wrong goes wrong here: it drops, goes
deaf and mute, stalls, says what no session would say. A mishap that the policy planned and one
that a test calls for (`server.connections[-1].drop()`) are the same few lines.

Several connections can have one session: a call goes on while its sideband reconnects, and for
a moment there may be two of them. Everything that the session says goes to all of its `Party`.

There is no I/O here; the time comes from the function that a connection is given.
"""

from collections import deque
from collections.abc import Callable
from math import inf
from typing import Literal, NamedTuple

from realtime_client.events import ErrorDetails
from realtime_client.simulator.admission import Hello
from realtime_client.simulator.mishaps import Close, Drop, Freeze, Ignore, Mishap
from realtime_client.simulator.server import SimulatedSession

__all__ = ["Ending", "Out", "Party", "ServerConnection"]


class Out(NamedTuple):
    """Something to write: one frame, or with `bytes` what goes below the frames."""

    kind: Literal["text", "binary", "bytes"]
    data: bytes


class Ending(NamedTuple):
    """How a connection ends or has ended; `code` None is without a close frame."""

    code: int | None
    reason: str = ""


class Party:
    """A session and the connections that have it."""

    def __init__(self, session: SimulatedSession) -> None:
        self.session = session
        self._members: list[ServerConnection] = []
        session.wake = self.ring

    def join(self, member: "ServerConnection") -> None:
        """Let a connection hear what the session says from now on."""
        self._members.append(member)

    def leave(self, member: "ServerConnection") -> None:
        """Let it hear no more. Harmless where it has left already."""
        if member in self._members:
            self._members.remove(member)

    def ring(self) -> None:
        """Wake whoever carries the frames."""
        for member in self._members:
            member.wake()

    def pump(self, now: float) -> None:
        """Do what is due, and hand to everybody what the session says."""
        self.session.on_deadline(now)
        frames = self.session.data_to_send()
        for member in self._members:
            member.hand(frames)


class _Stall:
    """A time in which nothing passes, in one direction."""

    def __init__(self) -> None:
        self.since = self.until = -inf

    def extend(self, now: float, seconds: float) -> None:
        if now >= self.until:
            self.since = now
        self.until = max(self.until, now + seconds)


class ServerConnection:
    """One client's connection to a session; `server.connections` has them in order.

    `hello` is what the client said to come in. `ended` is None while the connection is there,
    and then what the first close frame said, whoever sent it; its code is None without one.

    Whoever carries the frames gives what comes in to `receive` unless `deaf_until` says
    otherwise, writes what `take` gives, looks at `ending`, and waits until `next_deadline` or
    until `wake`, which it has put in, is called.
    """

    def __init__(
        self,
        party: Party,
        *,
        now: Callable[[], float],
        hello: Hello,
        mishap: Mishap | None = None,
    ) -> None:
        self.hello = hello
        self.ended: Ending | None = None
        self.wake: Callable[[], None] = lambda: None
        self._party = party
        self._now = now
        self._out: deque[Out] = deque()
        self._ending: Ending | None = None
        self._reads, self._writes = _Stall(), _Stall()
        self._ignoring = isinstance(mishap, Ignore)
        self._planned: Close | Drop | Freeze | None = None
        self._due = inf
        self._plan(mishap)
        party.join(self)

    @property
    def session(self) -> SimulatedSession:
        """The session that it is connected to."""
        return self._party.session

    # --- what a test can do --------------------------------------------------------------

    def drop(self) -> None:
        """End the TCP connection at once: no close frame, and nothing of what is queued."""
        self._end(Ending(None))
        self._out.clear()
        self.wake()

    def close(
        self, code: int = 1000, reason: str = "", error: ErrorDetails | str | None = None
    ) -> None:
        """Close as the mishap `Close` does. Raises `ValueError` for what it cannot say."""
        said = Close(code, reason, error)
        if self._ending is None and said.event is not None:
            self._out.append(Out("text", self.session.frame(said.event)))
        self._end(Ending(code, reason))
        self.wake()

    def freeze(self) -> None:
        """Be deaf and mute from now on while the TCP connection stays: half-open."""
        self.stall(inf)

    def stall(self, seconds: float, *, reads: bool = True, writes: bool = True) -> None:
        """Read nothing, write nothing, or neither, for so long; then go on where it was."""
        for stall, wanted in ((self._reads, reads), (self._writes, writes)):
            if wanted:
                stall.extend(self._now(), seconds)
        self.wake()

    def say(self, data: bytes | str, *, binary: bool = False) -> None:
        """Send one frame of anything: not JSON, a type that nobody knows, broken UTF-8."""
        sent = data.encode() if isinstance(data, str) else data
        self._out.append(Out("binary" if binary else "text", sent))
        self.wake()

    def write(self, data: bytes) -> None:
        """Write bytes below the frames: half a frame, or none at all.

        A connection in memory has nothing below its frames. There they end the connection, as
        they do where a client's library finds that they are no frame.
        """
        self._out.append(Out("bytes", data))
        self.wake()

    # --- for whoever carries the frames --------------------------------------------------

    def receive(self, data: bytes | str, *, binary: bool = False) -> None:
        """Take one frame from the client."""
        if self._goes_on:
            self.session.receive(data, self._now(), binary=binary)
            self._party.ring()

    def take(self) -> list[Out]:
        """Return what is to be written now, in order, once; nothing while it is mute."""
        now = self._now()
        self._do_what_is_due(now)
        if self.mute_since is not None:
            return []
        if self._goes_on:
            self._party.pump(now)
        taken = list(self._out)
        self._out.clear()
        return taken

    def hand(self, frames: list[bytes]) -> None:
        """Queue what the session says."""
        if self._goes_on:
            self._out.extend(Out("text", frame) for frame in frames)

    @property
    def ending(self) -> Ending | None:
        """How to end it, once everything has been taken; None while it goes on.

        A connection that drops does so at once, one that closes waits until it may write.
        """
        wanted = self._ending
        if self._goes_on and self.session.close_wanted is not None:
            wanted = Ending(*self.session.close_wanted)
        if wanted is None or wanted.code is None:
            return wanted
        return wanted if self.mute_since is None and not self._out else None

    @property
    def dropped(self) -> bool:
        """Whether it is to end without another word."""
        return self._ending is not None and self._ending.code is None

    @property
    def deaf_until(self) -> float | None:
        """When it reads again, for ever being infinity; None where it reads."""
        return self._reads.until if self._reads.until > self._now() else None

    @property
    def mute_since(self) -> float | None:
        """Since when it has written nothing, not even a pong; None where it writes."""
        return self._writes.since if self._writes.until > self._now() else None

    def next_deadline(self) -> float | None:
        """When to call `take` again; None where nothing is planned."""
        due = [self._due]
        if self.mute_since is not None:
            due.append(self._writes.until)
        elif self._goes_on:
            session = self.session.next_deadline()
            due.append(inf if session is None else session)
        return None if min(due) == inf else min(due)

    def leave(self, ended: Ending) -> None:
        """It is over. What ended it first is what counts."""
        self.ended = self.ended or ended
        self._party.leave(self)

    @property
    def _goes_on(self) -> bool:
        """Whether the client and the session have anything to do with each other."""
        return not self._ignoring and self._ending is None

    # --- mishaps -------------------------------------------------------------------------

    def _plan(self, mishap: Mishap | None) -> None:
        match mishap:
            case Close(after=None) | Drop(after=None) | Freeze(after=None):
                self._befall(mishap)
            case Close() | Drop() | Freeze():
                self._planned = mishap

    def _do_what_is_due(self, now: float) -> None:
        """Time is counted from the first look, so that what comes later comes after the
        session has begun, however busy the machine is.
        """
        if self._planned is None:
            return
        if self._due <= now:
            mishap, self._planned, self._due = self._planned, None, inf
            self._befall(mishap)
        else:
            self._due = min(self._due, now + (self._planned.after or 0.0))

    def _befall(self, mishap: Mishap) -> None:
        match mishap:
            case Close(code, reason, error):
                self.close(code, reason, error)
            case Drop():
                self.drop()
            case Freeze():
                self.freeze()

    def _end(self, ending: Ending) -> None:
        """The first word counts, but nothing is said on what has dropped."""
        if self._ending is None or ending.code is None:
            self._ending = ending
