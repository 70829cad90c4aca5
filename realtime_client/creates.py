"""The creates that have not begun: those that wait for their turn, and those on the wire.

The default conversation has one response at a time, so creates for it go out one by one, in
the order in which they were asked for. Out of band any number runs at once, and none waits.

The server starts responses by itself, too, after a turn that its VAD has ended, and a create
of ours can cross with one of those: `conversation_already_has_active_response`. That is no
news for the caller. The create goes back to the front of the line until the active response
is done; where that one cannot be seen from here, it is tried again every `RETRY` seconds.

A create carries a key in its `metadata`, `<nonce>-<counter>`, because "`response.created`
carries no client event id". Servers that echo no metadata answer in order.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from realtime_client.dialects import Dialect
from realtime_client.errors import (
    AcknowledgementTimeout,
    ConversationBusy,
    RealtimeError,
    ResponseRejected,
    ResponseWithdrawn,
    ServerError,
    UsageError,
)
from realtime_client.events import ResponseCreate, ResponseCreateParams, ResponseResource
from realtime_client.lives import Asked, Initiator, Input, ResponseRecord, State
from realtime_client.outcome import Outcome

__all__ = [
    "METADATA_KEY",
    "RETRY",
    "TRIES",
    "Creates",
    "appended",
    "keyed",
    "own_metadata",
    "refuse_metadata",
]

METADATA_KEY: Final = "realtime_client"
"""Our pair in `metadata`: 16 pairs at most, so 15 are the caller's."""

MAX_METADATA: Final = 16
MAX_KEY: Final = 64
MAX_VALUE: Final = 512

RETRY: Final = 0.5
"""Seconds until a create is tried again that an unseen response has kept out."""

TRIES: Final = 20
"""How often that is done, before its caller is told what the server says."""

BUSY: Final = "conversation_already_has_active_response"


class Creates:
    """The line of creates of one connection, and its outcomes."""

    __slots__ = ("_counter", "_dialect", "_nonce", "_on_wire", "_waiting", "outcomes")

    def __init__(self, nonce: str, dialect: Dialect) -> None:
        self._nonce = nonce
        self._dialect = dialect
        self._counter = 0
        self._waiting: deque[ResponseRecord] = deque()
        self._on_wire: dict[str, ResponseRecord] = {}
        self.outcomes: list[Outcome] = []

    def __iter__(self) -> Iterator[ResponseRecord]:
        yield from self._waiting
        yield from self._on_wire.values()

    @property
    def waiting(self) -> tuple[ResponseRecord, ...]:
        """What has not gone out, in the order in which it will."""
        return tuple(self._waiting)

    @property
    def on_wire(self) -> tuple[ResponseRecord, ...]:
        """What has gone out and has neither begun nor been refused, oldest first."""
        return tuple(self._on_wire.values())

    def clear(self) -> None:
        """The connection is over, and nothing of it will begin."""
        self._waiting.clear()
        self._on_wire.clear()

    def add(self, asked: Asked, *, busy: tuple[str, ...] | None) -> ResponseRecord:
        """Put a create into the line. `busy` has the active responses, None where it is free.

        Raises:
            UsageError: The caller's metadata leaves no room for our key.
            ConversationBusy: It was not to wait, and has to.
        """
        params = asked.event.response
        refuse_crowded((params.metadata if params else None) or {})
        if asked.when_busy == "fail" and asked.in_conversation and busy is not None:
            raise ConversationBusy("a response of the conversation is active", active=busy)
        self._counter += 1
        key = f"{self._nonce}-{self._counter}"
        record = ResponseRecord(
            State.WAITING, "client", key=key, asked=asked, in_conversation=asked.in_conversation
        )
        first = len(self._waiting)
        if asked.when_busy == "interrupt":  # before all others, but the last one has the last word
            first = sum(one.asked.when_busy == "interrupt" for one in self._waiting if one.asked)
        self._waiting.insert(first, record)
        return record

    def next_free(self, now: float, *, busy: bool) -> ResponseRecord | None:
        """The create whose turn it is; on the wire from here on."""
        held = busy
        for record in self._waiting:
            assert record.asked is not None
            if record.asked.when_busy == "send" or not record.in_conversation:
                return self._send(record, now)
            if not held and now >= record.retry_at:
                return self._send(record, now)
            held = True
        return None

    def claim(self, response: ResponseResource, happened: Input) -> ResponseRecord | None:
        """The create that a response answers, which is out of the line with that."""
        record = self._on_wire.pop(self.key_of(response) or "", None)
        if record is not None:
            record.step(happened)
        return record

    def key_of(self, response: ResponseResource) -> str | None:
        """The key that a response carries, or the oldest one that fits where none is echoed."""
        key = (response.metadata or {}).get(METADATA_KEY)
        if isinstance(key, str) or self._dialect.echoes_metadata:
            return key if isinstance(key, str) else None
        inside = response.conversation_id is not None
        fitting = (key for key, one in self._on_wire.items() if one.in_conversation is inside)
        return next(fitting, None)

    def requester(self, response: ResponseResource, happened: Input) -> ResponseRecord:
        """Who asked for a response: one of us, the server itself, or another party."""
        key = self.key_of(response)
        inside = response.conversation_id is not None
        if key is None:
            return _begun("server", inside)
        record = self.claim(response, happened)
        if record is not None:
            return record
        if key.rpartition("-")[0] != self._nonce:
            return _begun("other", inside)
        late = _begun("client", inside, key)
        late.step(Input.GIVEN_UP)
        return late

    def nameless(self, response: ResponseResource) -> Outcome | None:
        """A response without an id can be neither heard nor cancelled: its caller is told."""
        record = self.claim(response, Input.REFUSED)
        error = ResponseRejected("the server created the response without an id")
        return record.outcome(error=error) if record is not None else None

    def refused(self, event_id: str, error: ServerError, now: float, *, seen: bool) -> bool:
        """An `error` named a create. `seen` is whether the active response can be seen."""
        record = self._named(event_id, self._on_wire.values())
        if record is None or record.asked is None:
            return False
        del self._on_wire[record.key or ""]
        revoked = record.state is State.REVOKED
        busy = error.name == BUSY and record.asked.when_busy != "send"
        waits = busy and record.asked.when_busy != "fail"
        again = waits and (seen or record.tries < TRIES)
        if record.step(Input.BUSY if again else Input.REFUSED) is State.WAITING:
            record.tries = 0 if seen else record.tries + 1
            record.retry_at = -math.inf if seen else now + RETRY
            record.heard = math.inf  # it is not on the wire: its silence means nothing
            self._waiting.appendleft(record)
        elif busy and revoked:
            self.end(record, ResponseWithdrawn("it was cancelled before it began"))
        elif busy and record.asked.when_busy == "fail":
            self.end(record, ConversationBusy(error.message))
        else:
            self.end(record, _rejection(event_id, error))
        return True

    def drop(self, record: ResponseRecord) -> None:
        """Take a record out of the line."""
        if record in self._waiting:
            self._waiting.remove(record)
        self._on_wire.pop(record.key or "", None)

    def end(self, record: ResponseRecord, error: RealtimeError) -> None:
        """Tell its caller, unless nobody waits."""
        outcome = record.outcome(error=error)
        if outcome is not None:
            self.outcomes.append(outcome)

    def expire(self, now: float) -> None:
        """Whoever has waited as long as he wanted to is told, and has given up with that."""
        for record in list(self):
            late = record.asked is not None and now >= record.asked.expires
            if late and record.state is not State.UNWANTED:
                waited = record.state is State.WAITING
                what = "response.create waited for its turn and was withdrawn"
                if not waited:
                    what = "response.created"
                self.end(record, AcknowledgementTimeout(what, uncertain=not waited))
                if record.step(Input.GIVEN_UP) is State.GONE:
                    self.drop(record)

    def named(self, event_id: str) -> ResponseRecord | None:
        """The create of this name."""
        return self._named(event_id, self)

    def _named(self, event_id: str, records: Any) -> ResponseRecord | None:
        return next((record for record in records if record.event_id == event_id), None)

    def _send(self, record: ResponseRecord, now: float) -> ResponseRecord:
        self._waiting.remove(record)
        record.step(Input.SENT)
        record.heard = now
        self._on_wire[record.key or ""] = record
        return record


def _begun(initiator: Initiator, in_conversation: bool, key: str | None = None) -> ResponseRecord:
    return ResponseRecord(State.ACTIVE, initiator, key=key, in_conversation=in_conversation)


def _rejection(event_id: str, error: ServerError) -> ResponseRejected:
    return ResponseRejected(
        error.message, code=error.code, type=error.type, param=error.param, event_id=event_id
    )


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


def appended(command: ResponseCreate, session: object, extra: str) -> ResponseCreate:
    """A create whose instructions are those in force, the session's or its own, and `extra`.

    An empty `extra` adds nothing.

    "`response.instructions` replaces the session's instructions for that response."
    """
    if not extra:
        return command
    params = command.response or ResponseCreateParams()
    in_force: object = params.instructions
    if not isinstance(in_force, str):  # an empty text of its own is one, and replaces
        in_force = session if isinstance(session, str) else ""
    whole = f"{in_force}\n\n{extra}" if in_force else extra
    return msgspec.structs.replace(
        command, response=msgspec.structs.replace(params, instructions=whole)
    )


def refuse_crowded(theirs: Mapping[str, Any]) -> None:
    """Raise for metadata of the caller's that leaves no room for our key.

    Raises:
        UsageError: Too many pairs, or one that has our name.
    """
    if METADATA_KEY in theirs:
        raise UsageError(
            f"metadata: the key {METADATA_KEY!r} is the client's own; name yours otherwise"
        )
    if len(theirs) >= MAX_METADATA:
        raise UsageError(f"metadata takes {MAX_METADATA - 1} pairs of your own; got {len(theirs)}")


def refuse_metadata(theirs: object) -> None:
    """Raise for metadata that no server takes, or that leaves no room for our key.

    Raises:
        UsageError: It names the pair.
    """
    if theirs is None:
        return
    if not isinstance(theirs, Mapping):
        raise UsageError(f"metadata is pairs of texts, not {type(theirs).__name__}")
    for key, value in theirs.items():
        if not isinstance(key, str):
            raise UsageError(f"metadata has texts for its keys, not {key!r}")
        if len(key) > MAX_KEY:
            raise UsageError(
                f"a key of metadata has at most {MAX_KEY} characters; "
                f"got one of {len(key)}: {key[:MAX_KEY]!r}..."
            )
        if not isinstance(value, str):
            raise UsageError(
                f"metadata has texts for its values; that of {key!r} is {type(value).__name__}"
            )
        if len(value) > MAX_VALUE:
            raise UsageError(
                f"a value of metadata has at most {MAX_VALUE} characters; "
                f"that of {key!r} has {len(value)}"
            )
    refuse_crowded(theirs)


def own_metadata(response: ResponseResource) -> dict[str, Any]:
    """The caller's own metadata of a response, without our pair."""
    metadata = response.metadata or {}
    return {key: value for key, value in metadata.items() if key != METADATA_KEY}
