"""Whose event is this? Every event of a response belongs to one response, or to nobody.

Servers run several responses at once, put several messages into one, and send events of a
response after its caller has given up. So nothing here is "the current response": events
are keyed by `response_id`, and those that carry none (`response.mcp_call.*`) by their item.

A create is found again by a key in its `metadata`, `<nonce>-<counter>`, because
"`response.created` carries no client event id". A refusal is found by `event_id`. Our nonce
on a response that nobody waits for any more means that it is late: it is cancelled by its
id and what it says is discarded, however late it comes; no table of the dead is needed. No
metadata means that the server started the response by itself (VAD, idle timeout); somebody
else's nonce means another party on the session. Both surface and are never touched.

A response ends at its own `response.done`. The table is the whole of its life::

    REQUESTED --created--> ACTIVE --done--> (gone)
        |                     |
        +--refused--> (gone)  +--given up--> DISCARDED --done--> (gone)
        |
        +--given up--> (gone; the nonce recognises it if it comes)
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple

import msgspec

from realtime_client.dialects import GA, Dialect
from realtime_client.errors import ResponseRejected, ServerError, UsageError
from realtime_client.events import (
    ResponseCreate,
    ResponseCreated,
    ResponseCreateParams,
    ResponseDone,
    ResponseResource,
)
from realtime_client.outcome import Outcome

__all__ = [
    "METADATA_KEY",
    "SESSION_ROUTE",
    "ResponseRecord",
    "Route",
    "Router",
    "State",
    "Verdict",
    "keyed",
    "own_metadata",
]

METADATA_KEY: Final = "realtime_client"
"""Our pair in `metadata`: 16 pairs at most, so 15 are the caller's."""

MAX_METADATA: Final = 16

Initiator = Literal["client", "server", "other"]


class Verdict(enum.Enum):
    """What became of an event."""

    SESSION = "session"
    """It belongs to no response: the session, an item, the input buffer."""
    DELIVERED = "delivered"
    """It belongs to a response that is alive."""
    DISCARDED = "discarded"
    """Its response was given up."""
    ORPHAN = "orphan"
    """It names a response that nobody knows, or that is over."""


class State(enum.Enum):
    """Where a response is in its life."""

    REQUESTED = "requested"
    ACTIVE = "active"
    DISCARDED = "discarded"
    GONE = "gone"


class Input(enum.Enum):
    """What can happen to a response."""

    CREATED = "created"
    REFUSED = "refused"
    GIVEN_UP = "given_up"
    DONE = "done"


TRANSITIONS: Final[Mapping[tuple[State, Input], State]] = {
    (State.REQUESTED, Input.CREATED): State.ACTIVE,
    (State.REQUESTED, Input.REFUSED): State.GONE,
    (State.REQUESTED, Input.GIVEN_UP): State.GONE,
    (State.ACTIVE, Input.DONE): State.GONE,
    (State.ACTIVE, Input.GIVEN_UP): State.DISCARDED,
    (State.DISCARDED, Input.DONE): State.GONE,
    (State.DISCARDED, Input.GIVEN_UP): State.DISCARDED,
    (State.GONE, Input.GIVEN_UP): State.GONE,
}
"""A pair that is not here changes nothing: the network may say anything in any order."""


class ResponseRecord:
    """One response as the router knows it."""

    __slots__ = ("event_id", "id", "initiator", "key", "state")

    def __init__(
        self, state: State, initiator: Initiator, *, key: str | None, event_id: str | None
    ) -> None:
        self.state = state
        self.initiator = initiator
        self.key = key
        self.event_id = event_id
        self.id: str | None = None

    def step(self, happened: Input) -> None:
        """Follow the table."""
        self.state = TRANSITIONS.get((self.state, happened), self.state)


class Route(NamedTuple):
    """The router's answer: the verdict, whose event it is, and whom it wakes."""

    verdict: Verdict
    record: ResponseRecord | None = None
    outcome: Outcome | None = None
    late: str | None = None
    """The id of a response that came too late and is to be cancelled."""


SESSION_ROUTE: Final = Route(Verdict.SESSION)
"""The route of every event that belongs to no response."""
_ORPHAN = Route(Verdict.ORPHAN)


class Router:
    """All responses of one connection."""

    __slots__ = ("_by_id", "_by_item", "_counter", "_dialect", "_nonce", "_requested", "counts")

    def __init__(self, nonce: str, dialect: Dialect = GA) -> None:
        self._nonce = nonce
        self._dialect = dialect
        self._counter = 0
        self._requested: dict[str, ResponseRecord] = {}
        self._by_id: dict[str, ResponseRecord] = {}
        self._by_item: dict[str, str] = {}
        self.counts: Counter[Verdict] = Counter()

    @property
    def active(self) -> tuple[str, ...]:
        """The ids of the responses that have begun and not ended."""
        return tuple(self._by_id)

    @property
    def is_idle(self) -> bool:
        """Whether no response is active and none has been asked for."""
        return not self._by_id and not self._requested

    def ask(self, command: ResponseCreate, event_id: str) -> str:
        """A create was asked for. Returns the key that it carries in its metadata.

        Raises:
            UsageError: The caller's metadata leaves no room for ours.
        """
        theirs = (command.response.metadata if command.response else None) or {}
        if METADATA_KEY in theirs or len(theirs) >= MAX_METADATA:
            raise UsageError(
                f"metadata takes {MAX_METADATA - 1} pairs of your own, none named "
                f"{METADATA_KEY!r}; got {len(theirs)}"
            )
        self._counter += 1
        key = f"{self._nonce}-{self._counter}"
        self._requested[key] = ResponseRecord(State.REQUESTED, "client", key=key, event_id=event_id)
        return key

    def give_up(self, event_id: str, *, heard: bool = False) -> str | None:
        """Nobody waits for this request any more. Returns a response id to cancel, if any.

        Where somebody else listens to all responses (`heard`), one that has begun is not
        discarded: it ends before his ears.
        """
        for key, record in self._requested.items():
            if record.event_id == event_id:
                record.step(Input.GIVEN_UP)
                del self._requested[key]
                return None
        for record in self._by_id.values():
            if record.event_id == event_id:
                if not heard:
                    record.step(Input.GIVEN_UP)
                return record.id
        return None

    def on_refused(self, event_id: str, error: ServerError) -> Outcome | None:
        """An `error` named a create: its caller is free at once."""
        for key, record in self._requested.items():
            if record.event_id == event_id:
                record.step(Input.REFUSED)
                del self._requested[key]
                refused = ResponseRejected(
                    error.message,
                    code=error.code,
                    type=error.type,
                    param=error.param,
                    event_id=event_id,
                )
                return Outcome(event_id, error=refused)
        return None

    def on_created(self, event: ResponseCreated) -> Route:
        """A response began: ours, ours but late, the server's, or another party's."""
        response_id = event.response.id
        if not isinstance(response_id, str):
            return self._count(Route(Verdict.ORPHAN, outcome=self._nameless(event.response)))
        if response_id in self._by_id:
            return self._count(_ORPHAN)
        record = self._requester(event.response)
        record.id = response_id
        self._by_id[response_id] = record
        if record.state is State.DISCARDED:
            return self._count(Route(Verdict.DISCARDED, record, late=response_id))
        outcome = Outcome(record.event_id, event) if record.event_id else None
        return self._count(Route(Verdict.DELIVERED, record, outcome))

    def on_done(self, event: ResponseDone) -> Route:
        """A response ended; its items need no owner any more."""
        response_id = event.response.id
        record = self._by_id.pop(response_id, None) if isinstance(response_id, str) else None
        if record is None:
            return self._count(self._never_created(event))
        self._by_item = {i: r for i, r in self._by_item.items() if r != response_id}
        route = Route(_verdict(record), record)
        record.step(Input.DONE)
        return self._count(route)

    def on_item(self, response_id: object, item_id: object) -> Route:
        """`response.output_item.added`: from here on the item's events have an owner."""
        if isinstance(response_id, str) and isinstance(item_id, str) and response_id in self._by_id:
            self._by_item[item_id] = response_id
        return self.on_event(response_id)

    def on_event(self, response_id: object, item_id: object = None) -> Route:
        """Any other event of a response, by its id or, where it has none, by its item."""
        if not isinstance(response_id, str) and isinstance(item_id, str):
            response_id = self._by_item.get(item_id)
        record = self._by_id.get(response_id) if isinstance(response_id, str) else None
        return self._count(Route(_verdict(record), record) if record else _ORPHAN)

    def _requester(self, response: ResponseResource) -> ResponseRecord:
        """Who asked for a response that begins."""
        key = self._key(response)
        if key is None:
            return _begun("server")
        record = self._requested.pop(key, None)
        if record is not None:
            record.step(Input.CREATED)
            return record
        if key.rpartition("-")[0] != self._nonce:
            return _begun("other")
        late = _begun("client", key)
        late.step(Input.GIVEN_UP)
        return late

    def _never_created(self, event: ResponseDone) -> Route:
        """ "`response.done` can arrive without its `response.created`": begun and over."""
        record = self._requested.pop(self._key(event.response) or "", None)
        if record is None or record.event_id is None:
            return _ORPHAN
        response_id = event.response.id
        record.id = response_id if isinstance(response_id, str) else ""
        record.step(Input.CREATED)
        record.step(Input.DONE)
        return Route(Verdict.DELIVERED, record, Outcome(record.event_id, event))

    def _nameless(self, response: ResponseResource) -> Outcome | None:
        """A response without an id can be neither heard nor cancelled: its caller is told."""
        record = self._requested.pop(self._key(response) or "", None)
        if record is None or record.event_id is None:
            return None
        record.step(Input.REFUSED)
        error = ResponseRejected("the server created the response without an id")
        return Outcome(record.event_id, error=error)

    def _key(self, response: ResponseResource) -> str | None:
        """The key that a response carries, or the oldest one where none is echoed."""
        key = (response.metadata or {}).get(METADATA_KEY)
        if key is None and not self._dialect.echoes_metadata and self._requested:
            key = next(iter(self._requested))
        return key

    def _count(self, route: Route) -> Route:
        self.counts[route.verdict] += 1
        return route


def _begun(initiator: Initiator, key: str | None = None) -> ResponseRecord:
    return ResponseRecord(State.ACTIVE, initiator, key=key, event_id=None)


def _verdict(record: ResponseRecord) -> Verdict:
    return Verdict.DISCARDED if record.state is State.DISCARDED else Verdict.DELIVERED


def keyed(command: Any, key: str) -> Any:
    """A create, struct or dict, with our key beside the caller's metadata."""
    if isinstance(command, dict):
        response = command.get("response") or {}
        metadata = {**(response.get("metadata") or {}), METADATA_KEY: key}
        return {**command, "response": {**response, "metadata": metadata}}
    params = command.response or ResponseCreateParams()
    metadata = {**(params.metadata or {}), METADATA_KEY: key}
    params = msgspec.structs.replace(params, metadata=metadata)
    return msgspec.structs.replace(command, response=params)


def own_metadata(response: ResponseResource) -> dict[str, Any]:
    """The caller's own metadata of a response, without our pair."""
    metadata = response.metadata or {}
    return {key: value for key, value in metadata.items() if key != METADATA_KEY}
