"""A router with its creates and no protocol around it: for tests of whose event is whose."""

from __future__ import annotations

import math
from typing import Any

from realtime_client import events
from realtime_client.creates import METADATA_KEY
from realtime_client.dialects import GA, Dialect
from realtime_client.errors import ServerError
from realtime_client.lives import Asked, ResponseRecord, State, WhenBusy
from realtime_client.outcome import Outcome
from realtime_client.router import Router
from realtime_client.verdicts import Route

NONCE = "abcd"
OUT_OF_BAND = "none"
PLAIN = Dialect("plain", echoes_metadata=False)
BUSY = ServerError("busy", code="conversation_already_has_active_response")


def asked(
    event_id: str = "event_1",
    when_busy: WhenBusy = "wait",
    *,
    expires: float = math.inf,
    at: float | None = None,
    **params: Any,
) -> Asked:
    response = events.ResponseCreateParams(**params) if params else events.UNSET
    command = events.ResponseCreate(response=response, event_id=event_id)
    return Asked(event_id, command, command, when_busy, expires, None, at)


def resource(response_id: Any, metadata: Any = None, **fields: Any) -> events.ResponseResource:
    return events.ResponseResource(id=response_id, metadata=metadata, **fields)


def audio(response_id: Any, event_id: Any = events.UNSET, delta: bytes = b"a", **where: Any) -> Any:
    return events.ResponseOutputAudioDelta(
        response_id=response_id, event_id=event_id, delta=delta, **where
    )


def audio_done(response_id: Any, event_id: Any = events.UNSET) -> Any:
    return events.ResponseOutputAudioDone(response_id=response_id, event_id=event_id)


def item_added(response_id: Any, event_id: Any = events.UNSET) -> Any:
    return events.ResponseOutputItemAdded(
        response_id=response_id, event_id=event_id, item=events.McpCallItem()
    )


def mcp(item_id: Any, event_id: Any = events.UNSET) -> Any:
    return events.ResponseMcpCallCompleted(item_id=item_id, event_id=event_id)


class Bench:
    """A router that is asked things in one line each, and what it has said."""

    def __init__(self, dialect: Dialect = GA, *, patience: float = 60.0) -> None:
        self.router = Router(NONCE, dialect, patience=patience)

    def ask(
        self,
        event_id: str = "event_1",
        when_busy: WhenBusy = "wait",
        *,
        now: float = 0.0,
        **options: Any,
    ) -> list[str]:
        """Ask for a response; returns which creates go out."""
        self.router.ask(asked(event_id, when_busy, **options))
        return self.sent(now)

    def is_given_up(self, response_id: str) -> bool:
        """Whether a response has begun and nobody wants it."""
        record = self.router.find(response_id)
        return record is not None and record.state is State.DISCARDED

    def sent(self, now: float = 0.0) -> list[str]:
        """The creates that go out now, by name."""
        out = iter(lambda: self.router.next_create(now), None)
        return [record.event_id or "" for record in out]

    def record(self, event_id: str) -> ResponseRecord:
        """What is on its way under this name."""
        found = self.router.creates.named(event_id)
        assert found is not None
        return found

    def metadata(self, event_id: str) -> dict[str, Any]:
        """What the server has to echo of a create."""
        return {METADATA_KEY: self.record(event_id).key}

    def created(
        self, response_id: Any, metadata: Any = None, now: float = 0.0, **fields: Any
    ) -> Route:
        """`response.created`."""
        whole = resource(response_id, metadata, **fields)
        return self.router.on_created(events.ResponseCreated(response=whole), now)

    def begin(self, event_id: str, response_id: str, now: float = 0.0, **options: Any) -> Route:
        """Ask for a response, which begins at once."""
        self.ask(event_id, now=now, **options)
        return self.answer(event_id, response_id, now)

    def answer(self, event_id: str, response_id: str, now: float = 0.0, **fields: Any) -> Route:
        """`response.created` for a create."""
        return self.created(response_id, self.metadata(event_id), now, **fields)

    def done(self, response_id: Any, metadata: Any = None, **fields: Any) -> Route:
        """`response.done`."""
        whole = resource(response_id, metadata, **fields)
        return self.router.on_done(events.ResponseDone(response=whole))

    def hear(self, response_id: Any, now: float = 0.0) -> Route:
        """One audio delta without an id of its own."""
        return self.router.on_event(audio(response_id), now)

    def refuse(self, event_id: str, error: ServerError = BUSY, now: float = 0.0) -> bool:
        """An `error` that names a request."""
        return self.router.on_refused(event_id, error, now)

    def cancels(self) -> list[str | None]:
        """The ids that are to be cancelled now; each gets the name `cancel <id>`."""
        taken = self.router.take_cancels()
        for record in taken:
            record.cancel_id = f"cancel {record.id}"
        return [record.id for record in taken]

    def outcomes(self) -> list[Outcome]:
        """The ends of creates since the last call."""
        ended, self.router.creates.outcomes = self.router.creates.outcomes, []
        return ended

    def wait(self, now: float) -> list[str]:
        """Time has passed; returns which creates go out then."""
        self.router.on_deadline(now)
        return self.sent(now)

    def is_empty(self) -> bool:
        """Whether nothing is left of anything."""
        router = self.router
        return not any(
            (router._begun, router._by_item, router._to_cancel, router.abandoned, *router.creates)
        )
