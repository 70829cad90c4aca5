"""Whose event is this? Every event of a response belongs to one response, or to nobody.

Servers run several responses at once, put several messages into one, and send events of a
response after its caller has given up. So nothing here is "the current response": events
are keyed by `response_id`, and those that carry none (`response.mcp_call.*`) by their item.
The life of a response is the table in `lives`; what has not begun is in `creates`.

A response that begins is ours where it has our key, and the one that we asked for where
somebody waits. Our nonce on a response that nobody waits for means that it is late: it is
cancelled by its id and what it says is discarded, however late it comes; no table of the
dead is needed. No metadata means that the server started it by itself (VAD, idle timeout);
somebody else's means another party on the session. Both surface and are never touched.

Every event gets a verdict, and those that nobody is told of are counted by kind, too. No byte
is delivered twice: an event that has come before is known by its `event_id`, unless the server
shows that its ids name nothing. The ids of responses that have ended are kept for a while, so
that a second `response.created` or `response.done` is not taken for a new response.

Where a `response.done` never comes, silence ends the response: `patience` seconds without a
word about it, counted from the last one.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Any, Final, NamedTuple

from realtime_client.creates import Creates
from realtime_client.dialects import GA, Dialect
from realtime_client.errors import (
    NotSupported,
    ResponseAbandoned,
    ResponseWithdrawn,
    ServerError,
)
from realtime_client.events import ResponseCreated, ResponseDone
from realtime_client.lives import BEGUN, Asked, Input, ResponseRecord, State
from realtime_client.verdicts import DELTAS, DUPLICATE, ORPHAN, Route, Verdict

__all__ = ["Abandoned", "Router"]

PATIENCE: Final = 60.0
"""Seconds without a word about a response before it is given up."""

NOT_ACTIVE: Final = "response_cancel_not_active"

OVER: Final = 256
"""How many of the responses that have ended are remembered by their id."""


class Abandoned(NamedTuple):
    """A response that ended without its `response.done`."""

    record: ResponseRecord
    error: ResponseAbandoned


class Router:
    """All responses of one connection."""

    def __init__(self, nonce: str, dialect: Dialect = GA, *, patience: float = PATIENCE) -> None:
        self.creates = Creates(nonce, dialect)
        self.counts: Counter[tuple[Verdict, type]] = Counter()
        self.abandoned: list[Abandoned] = []
        """Responses that have ended without a `response.done`, to be told to their holders."""
        self._to_cancel: list[ResponseRecord] = []
        self._dialect = dialect
        self._patience = patience
        self._begun: dict[str, ResponseRecord] = {}
        self._by_item: dict[str, ResponseRecord] = {}
        self._over: dict[str, None] = {}
        self._names_events = True
        self._wake = math.inf

    @property
    def active(self) -> tuple[str, ...]:
        """The ids of the responses that have begun and not ended."""
        return tuple(self._begun)

    @property
    def is_idle(self) -> bool:
        """Whether no response is active and none has been asked for."""
        return not self._begun and not any(self.creates)

    @property
    def begun(self) -> tuple[ResponseRecord, ...]:
        """The responses that have begun and not ended."""
        return tuple(self._begun.values())

    @property
    def stats(self) -> dict[str, Counter[str]]:
        """How many events had each verdict, by their type."""
        stats = {one.value: Counter[str]() for one in Verdict if one is not Verdict.SESSION}
        for (verdict, kind), count in self.counts.items():
            stats[verdict.value][kind.__struct_config__.tag] += count  # type: ignore[attr-defined]
        return stats

    @property
    def occupants(self) -> tuple[ResponseRecord, ...]:
        """What holds the default conversation: begun there, or asked for and on its way."""
        there = (*self.creates.on_wire, *self._begun.values())
        return tuple(record for record in there if record.in_conversation)

    # -- asking, and not wanting any more ----------------------------------------------------

    def ask(self, asked: Asked) -> None:
        """A create was asked for.

        Raises:
            UsageError: The caller's metadata leaves no room for ours.
            NotSupported: The endpoint has no out-of-band responses.
            ConversationBusy: It was not to wait, and has to.
        """
        if not asked.in_conversation and not self._dialect.out_of_band:
            raise NotSupported(
                f"the {self._dialect.name} dialect has no out-of-band responses "
                "(conversation='none'); nothing was sent"
            )
        inside = self.occupants
        waits = inside or any(record.in_conversation for record in self.creates.waiting)
        ids = tuple(record.id for record in inside if record.id is not None)
        self.creates.add(asked, busy=ids if waits else None)
        self._wake_by(asked.expires)

    def next_create(self, now: float) -> ResponseRecord | None:
        """The create whose turn it is, which goes out with that; None while there is none."""
        if not self.creates.waiting:
            return None
        first = next((one for one in self.creates.waiting if one.in_conversation), None)
        occupants = self.occupants
        if first is not None and first.asked is not None and first.asked.when_busy == "interrupt":
            for occupant in occupants:
                self.cancel(occupant)
        record = self.creates.next_free(now, busy=bool(occupants))
        if record is not None:
            self._wake_by(now + self._patience)
        return record

    def cancel(self, record: ResponseRecord) -> None:
        """It is to end, and whoever holds it hears of that: by its id, once that is known."""
        waited = record.state is State.WAITING
        if record.step(Input.CANCELLED) is State.CANCELLING:
            self._cancel(record)
        elif waited:
            self.creates.drop(record)
            self.creates.end(record, ResponseWithdrawn("it was cancelled before it went out"))

    def take_cancels(self) -> list[ResponseRecord]:
        """The responses that are to be cancelled by their id, each once."""
        taken, self._to_cancel = self._to_cancel, []
        return taken

    def give_up(self, event_id: str, *, heard: bool = False) -> None:
        """Nobody waits for this request any more.

        Where somebody else listens to all responses (`heard`), one that has begun is not
        discarded: it ends before his ears.
        """
        asked = self.creates.named(event_id)
        if asked is not None:
            if asked.step(Input.GIVEN_UP) is State.GONE:
                self.creates.drop(asked)
            return
        for record in self._begun.values():
            if record.event_id == event_id:
                record.step(Input.CANCELLED if heard else Input.GIVEN_UP)
                self._cancel(record)

    def interrupted(self) -> None:
        """The user speaks over what is being said, and the server cancels it by itself.

        No cancel is sent: it would find nothing to cancel.
        """
        for record in self._begun.values():
            if record.in_conversation:
                record.step(Input.CANCELLED)

    def discard(self, event: Any, record: ResponseRecord) -> Route:
        """What was delivered is not to be: its item was cut."""
        self.counts[Verdict.DELIVERED, type(event)] -= 1
        return self._count(event, Route(Verdict.DISCARDED, record))

    def find(self, response_id: str) -> ResponseRecord | None:
        """The response of this id, while it lasts."""
        return self._begun.get(response_id)

    def lost(self) -> None:
        """The connection is over, and every response with it."""
        for record in (*self.creates, *self._begun.values()):
            record.state = State.GONE
        self.creates.clear()
        self._begun.clear()
        self._by_item.clear()
        self._to_cancel.clear()
        self._wake = math.inf

    # -- what the server says ---------------------------------------------------------------

    def on_refused(self, event_id: str, error: ServerError, now: float) -> bool:
        """An `error` named one of our creates or cancels; whether it did."""
        occupied = any(record.event_id != event_id for record in self.occupants)
        if self.creates.refused(event_id, error, now, seen=occupied):
            retries = (one.retry_at for one in self.creates.waiting if one.retry_at > now)
            self._wake_by(min(retries, default=math.inf))
            return True
        for record in self._begun.values():
            if record.cancel_id == event_id:
                if error.name == NOT_ACTIVE:
                    self._abandon(record, "the server says that it is not active")
                return True
        return False

    def on_created(self, event: ResponseCreated, now: float) -> Route:
        """A response began: ours, ours but late, the server's, or another party's."""
        response_id = event.response.id
        if not isinstance(response_id, str):
            return self._count(
                event, Route(Verdict.ORPHAN, outcome=self.creates.nameless(event.response))
            )
        if response_id in self._begun or response_id in self._over:
            return self._count(event, DUPLICATE)
        record = self.creates.requester(event.response, Input.CREATED)
        record.id, record.heard, record.created = response_id, now, True
        self._begun[response_id] = record
        self._wake_by(now + self._patience)
        if event.event_id:
            record.seen[event.event_id] = _trace(event)
        if record.state is not State.ACTIVE:
            self._cancel(record)
        if record.state is State.DISCARDED:
            return self._count(event, Route(Verdict.DISCARDED, record))
        return self._count(event, Route(Verdict.DELIVERED, record, record.outcome(event)))

    def on_done(self, event: ResponseDone) -> Route:
        """A response ended; its items need no owner any more."""
        response_id = event.response.id
        if not isinstance(response_id, str):
            return self._count(
                event, Route(Verdict.ORPHAN, outcome=self.creates.nameless(event.response))
            )
        if response_id in self._over:
            return self._count(event, DUPLICATE)
        record = self._begun.get(response_id)
        if record is None:
            return self._count(event, self._never_created(event, response_id))
        verdict = Verdict.DISCARDED if record.state is State.DISCARDED else Verdict.DELIVERED
        self._end(record, Input.DONE)
        return self._count(event, Route(verdict, record))

    def on_item(self, event: Any, item_id: object, now: float) -> Route:
        """`response.output_item.added`: from here on the item's events have an owner."""
        route = self.on_event(event, now)
        record = route.record
        if record is not None and isinstance(item_id, str) and item_id not in self._by_item:
            self._by_item[item_id] = record
            record.items.append(item_id)
        return route

    def on_item_done(self, event: Any, item_id: object, now: float) -> Route:
        """`response.output_item.done`: nothing more is said in this item."""
        route = self.on_event(event, now)
        if route.record is not None and isinstance(item_id, str):
            route.record.finished.add(item_id)
        return route

    def on_item_event(self, event: Any, now: float) -> Route:
        """An event that names an item and no response: `response.mcp_call.*`."""
        return self._route(event, self._by_item.get(event.item_id), now)

    def on_event(self, event: Any, now: float) -> Route:
        """Any other event of a response."""
        return self._route(event, self._begun.get(event.response_id), now)

    # -- time -------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        """When somebody's patience may end; never later than it does."""
        return None if self._wake == math.inf else self._wake

    def on_deadline(self, now: float) -> None:
        """Time has passed: what has waited too long, or has been silent too long, ends."""
        if now < self._wake:
            return
        self.creates.expire(now)
        for record in (*self.creates.on_wire, *self._begun.values()):
            if now >= record.heard + self._patience:
                self._abandon(record, f"nothing was heard of it for {self._patience:g} seconds")
        ends = [record.heard + self._patience for record in self._begun.values()]
        for record in self.creates:
            expires = record.asked.expires if record.asked is not None else math.inf
            asking = record.state is not State.UNWANTED
            ends += [record.heard + self._patience, expires if asking else math.inf]
            ends += [record.retry_at] if record.retry_at > now else []
        self._wake = min(ends, default=math.inf)

    # -- within -------------------------------------------------------------------------------

    def _route(self, event: Any, record: ResponseRecord | None, now: float) -> Route:
        if record is None:
            return self._count(event, ORPHAN)
        record.heard = now
        if self._names_events and event.event_id:
            trace, before = _trace(event), record.seen.get(event.event_id)
            if before is None:
                record.seen[event.event_id] = trace
            elif before == trace:
                return self._count(event, Route(Verdict.DUPLICATE, record))
            else:
                self._names_events = False
        return self._count(event, Route(_verdict(record, event), record))

    def _never_created(self, event: ResponseDone, response_id: str) -> Route:
        """ "`response.done` can arrive without its `response.created`": begun and over."""
        record = self.creates.requester(event.response, Input.DONE)
        record.id = response_id
        self._end(record, Input.DONE)
        if record.initiator == "client" and not record.has_caller:
            return Route(Verdict.DISCARDED, record)
        return Route(Verdict.DELIVERED, record, record.outcome(event))

    def _abandon(self, record: ResponseRecord, why: str) -> None:
        """It ends without a `response.done`; what still comes of it belongs to nobody."""
        error = ResponseAbandoned(
            f"the server never ended the response: {why}"
            if record.state in BEGUN
            else f"the server never began the response: {why}; one that echoes no metadata "
            "needs a dialect that says so",
            response_id=record.id,
        )
        if record.state in BEGUN:
            if record.initiator == "client":
                self._cancel(record)
            self._end(record, Input.SILENCE)
            self.abandoned.append(Abandoned(record, error))
        elif record.state is not State.WAITING:
            if record.state is not State.UNWANTED:
                self.creates.end(record, error)
            record.step(Input.SILENCE)
            self.creates.drop(record)

    def _end(self, record: ResponseRecord, happened: Input) -> None:
        record.step(happened)
        for item_id in record.items:
            self._by_item.pop(item_id, None)
        record.finished.clear()
        record.seen.clear()
        if record.id is not None:
            self._begun.pop(record.id, None)
            self._over[record.id] = None
            if len(self._over) > OVER:
                del self._over[next(iter(self._over))]

    def _cancel(self, record: ResponseRecord) -> None:
        """By its id, once."""
        if record.cancel_id is None and record not in self._to_cancel:
            self._to_cancel.append(record)

    def _wake_by(self, when: float) -> None:
        self._wake = min(self._wake, when)

    def _count(self, event: Any, route: Route) -> Route:
        self.counts[route.verdict, type(event)] += 1
        return route


def _trace(event: Any) -> int:
    """What tells an event from another that has the same id; cheap, as audio is long."""
    place = [getattr(event, name, None) for name in ("item_id", "output_index", "content_index")]
    delta = getattr(event, "delta", "")
    return hash((type(event), *place, len(delta), delta[:16], delta[-16:]))


def _verdict(record: ResponseRecord, event: Any) -> Verdict:
    """What becomes of an event of a response that has begun and not ended."""
    if record.state is State.DISCARDED:
        return Verdict.DISCARDED
    if type(event) in DELTAS:
        if record.finished and event.item_id in record.finished:
            return Verdict.ORPHAN
        if record.state is State.CANCELLING:
            return Verdict.DISCARDED
    return Verdict.DELIVERED
