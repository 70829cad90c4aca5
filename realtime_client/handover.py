"""One connection after another, seen from the core of each: what it leaves, and what it inherits.

A connection ends with an answer to everybody who waits, save for the items that are being
created: these are answered by the next one. What outlives it is its estate.
"""

from __future__ import annotations

from typing import Final

from realtime_client.calls import Calls
from realtime_client.carrying import Pending, carried
from realtime_client.closing import Closing
from realtime_client.config import Configuration
from realtime_client.conversation import Conversation
from realtime_client.desk import Desk
from realtime_client.errors import RealtimeError
from realtime_client.frames import ending
from realtime_client.input import InputLedger, Unheard
from realtime_client.machines import Machines
from realtime_client.opening import Opening
from realtime_client.outcome import Outcome
from realtime_client.playback import PlaybackLedger
from realtime_client.restoring import Estate, Restoring
from realtime_client.router import Router
from realtime_client.turns import Turns
from realtime_client.usage import UsageLedger

__all__ = ["Handover"]

APPEND: Final = 96_000
"""Bytes of an append that says again what was said: 2 s of 24 kHz PCM."""


class Handover:
    """The machines of a connection, and how they pass on what they know."""

    def __init__(self, machines: Machines, desk: Desk, opening: Opening) -> None:
        self._machines = machines
        self._desk = desk
        self._opening = opening
        self._restoring: Restoring | None = None
        self._pending: tuple[Pending, ...] = ()
        self._outcomes: list[Outcome] = []

    @property
    def config(self) -> Configuration:
        """What the server acknowledged about the session."""
        return self._machines.config

    @property
    def conversation(self) -> Conversation:
        """The server's items."""
        return self._machines.conversation

    @property
    def router(self) -> Router:
        """The responses."""
        return self._machines.router

    @property
    def calls(self) -> Calls:
        """The function calls, and what is to be done about them."""
        return self._machines.calls

    @property
    def turns(self) -> Turns:
        """What the user says."""
        return self._machines.turns

    @property
    def usage(self) -> UsageLedger:
        """What it has cost."""
        return self._machines.usage

    @property
    def input(self) -> InputLedger:
        """What the server has been sent of the user's audio."""
        return self._machines.input

    @property
    def closing(self) -> Closing:
        """How far the end of a translation session has come."""
        return self._machines.closing

    @property
    def playback(self) -> PlaybackLedger:
        """How far each message has come."""
        return self._machines.playback

    @property
    def is_open(self) -> bool:
        """Whether the server has acknowledged the configuration."""
        return self._opening.is_open

    @property
    def is_opening(self) -> bool:
        """Whether that is still to be seen."""
        return self._opening.by is not None

    @property
    def opening(self) -> str:
        """The request whose outcome is the first thing that an embedder waits for."""
        return self._opening.name

    @property
    def outbox_bytes(self) -> int:
        """How much is ready to be written."""
        return self._desk.outbox.size

    def connected(self, now: float) -> None:
        """The socket is open: the time for the acknowledgement begins."""
        self._opening.connected(now)

    def append(self, audio: bytes | str) -> None:
        """Queue audio in the session's input format, as a session of this kind takes it."""
        self._desk.append(audio)

    # -- the end, and what comes after it -----------------------------------------------

    @property
    def restoring(self) -> Restoring | None:
        """What has become of what the connection before had left, if there was one."""
        return self._restoring

    def is_quiet(self, now: float) -> bool:
        """Whether nobody speaks or is about to, on either side, and nothing is on its way."""
        machines, desk = self._machines, self._desk
        waited_for = set(desk.open_requests) - machines.input.given_up
        busy = waited_for or desk.outbox.size or machines.turns.open
        return not (
            busy
            or not machines.router.is_idle
            or not machines.input.is_empty
            or not machines.calls.is_idle
            or machines.playback.is_playing(now)
        )

    def lost(self, error: RealtimeError, *, comes_back: bool = False) -> None:
        """The connection is over: every question gets its end.

        What was written and never answered is uncertain: the server may have acted on it. Where
        another connection `comes_back` in its place, items that are being created are the one
        thing that is still answered: by that connection.
        """
        unsent = self._unsent
        unsent |= {one.event_id for one in self._pending if not one.was_sent}
        self.config.lost()
        questions = dict.fromkeys(self._desk.open_requests)
        ended = {outcome.event_id for outcomes in self._ended for outcome in outcomes}
        looked_for = self._restoring.settling.looked_for if self._restoring is not None else ()
        unsent -= {one.event_id for one in looked_for}  # it went out on the connection before
        pending = (*looked_for, *self._desk.pending()) if comes_back else ()
        self._pending = tuple(one for one in pending if one.event_id not in ended)
        ended |= {one.event_id for one in self._pending}
        if self.is_opening:
            self._outcomes.append(self._opening.on_lost(error))
            ended.add(self.opening)
        self._outcomes += [
            Outcome(event_id, error=ending(error, event_id not in unsent))
            for event_id in questions
            if event_id not in ended
        ]
        self._machines.lost(comes_back=comes_back, unsent=self._desk.outbox.audio)
        self._desk.outbox.clear()

    def estate(self, now: float) -> Estate:
        """What the next connection inherits: to be asked when this one is lost, or about to be
        replaced. Nothing is changed by that."""
        survivors = self._machines.survivors
        return Estate(carried(survivors, dict(self.config.obtained), now), survivors)

    def catch_up(self, estate: Estate, now: float) -> bool:
        """The connection before has gone on; whether nothing is left to be done for that."""
        assert self._restoring is not None, "there was a connection before this one"
        return self._restoring.catch_up(estate, now)

    @property
    def pending(self) -> tuple[Pending, ...]:
        """Of a connection that was lost: the items that the next one is to create."""
        return self._pending

    def was_sent(self, event_id: str) -> bool:
        """Whether a request may have reached the server: it is not in the queue any more."""
        for one in self._pending:
            if one.event_id == event_id:
                return one.was_sent
        return event_id not in self._desk.outbox.unsent

    def take_over(self, unheard: Unheard, pending: tuple[Pending, ...] = ()) -> None:
        """This connection is in force from now on: what was in no turn is said again, first.

        `pending` is what the one before was creating.
        """
        self._machines.input.base = unheard.base
        for start in range(0, len(unheard.audio), APPEND):
            self.append(unheard.audio[start : start + APPEND])
        if self._restoring is not None:
            self._restoring.settle(pending)

    # -- within ---------------------------------------------------------------------

    @property
    def _ended(self) -> tuple[list[Outcome], ...]:
        """The requests that have got their end and are not told, by who has found it."""
        machines = self._machines
        return (
            self._outcomes,
            machines.config.outcomes,
            machines.router.creates.outcomes,
            machines.input.outcomes,
            self._desk.outcomes,
        )

    @property
    def _unsent(self) -> frozenset[str]:
        """The requests that the server cannot know of."""
        waiting = {one.event_id or "" for one in self.router.creates.waiting}
        return self._desk.outbox.unsent | self.config.unsent | waiting
