"""The life of a response, from the wish for it to its `response.done`, as one table.

::

    WAITING --sent--> REQUESTED --created--> ACTIVE --done--> (gone)
       ^                 |  |                   |
       +------busy-------+  |                   +--cancelled--> CANCELLING --done--> (gone)
                            |                   +--given up---> DISCARDED ---done--> (gone)
                            |
                            +--cancelled--> REVOKED ---created--> CANCELLING
                            +--given up---> UNWANTED --created--> DISCARDED

"Cancelling before `response.created` is a no-op error and the response is still created": so
what is no longer wanted before its id is known waits for it (REVOKED where its caller still
listens, UNWANTED where nobody does), holds its place in the conversation meanwhile, and is
cancelled by its id then.

"Cancel is not instantaneous: 14 more deltas were logged": what comes between the cancel and
the end is not played. Of a CANCELLING response the deltas are discarded, and its ends are
told to whoever waits for them; of a DISCARDED one nobody wants to hear anything.

A response ends at its own `response.done`. Where that never comes, silence ends it.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple

from realtime_client.errors import RealtimeError
from realtime_client.events import AudioFormat, ResponseCreate
from realtime_client.outcome import Outcome

__all__ = [
    "BEGUN",
    "TRANSITIONS",
    "Asked",
    "Initiator",
    "Input",
    "ResponseRecord",
    "State",
    "WhenBusy",
]

Initiator = Literal["client", "server", "other"]
WhenBusy = Literal["wait", "interrupt", "fail", "send"]
"""What a create does while the conversation has an active response; `send` goes out anyway."""


class State(enum.Enum):
    """Where a response is in its life."""

    WAITING = "waiting"
    """It has not gone out: another one is active."""
    REQUESTED = "requested"
    REVOKED = "revoked"
    UNWANTED = "unwanted"
    ACTIVE = "active"
    CANCELLING = "cancelling"
    DISCARDED = "discarded"
    GONE = "gone"


class Input(enum.Enum):
    """What can happen to a response."""

    SENT = "sent"
    CREATED = "created"
    REFUSED = "refused"
    BUSY = "busy"
    """Refused, because the conversation has another active response."""
    CANCELLED = "cancelled"
    """It is to end; whoever holds it hears of its end."""
    GIVEN_UP = "given_up"
    """It is to end; nobody holds it."""
    DONE = "done"
    SILENCE = "silence"
    """Nothing was heard of it for too long."""


TRANSITIONS: Final[Mapping[tuple[State, Input], State]] = {
    (State.WAITING, Input.SENT): State.REQUESTED,
    (State.WAITING, Input.CANCELLED): State.GONE,
    (State.WAITING, Input.GIVEN_UP): State.GONE,
    (State.WAITING, Input.REFUSED): State.GONE,
    (State.REQUESTED, Input.CREATED): State.ACTIVE,
    (State.REQUESTED, Input.REFUSED): State.GONE,
    (State.REQUESTED, Input.BUSY): State.WAITING,
    (State.REQUESTED, Input.CANCELLED): State.REVOKED,
    (State.REQUESTED, Input.GIVEN_UP): State.UNWANTED,
    (State.REQUESTED, Input.DONE): State.GONE,
    (State.REQUESTED, Input.SILENCE): State.GONE,
    (State.REVOKED, Input.CREATED): State.CANCELLING,
    (State.REVOKED, Input.REFUSED): State.GONE,
    (State.REVOKED, Input.BUSY): State.GONE,
    (State.REVOKED, Input.GIVEN_UP): State.UNWANTED,
    (State.REVOKED, Input.DONE): State.GONE,
    (State.REVOKED, Input.SILENCE): State.GONE,
    (State.UNWANTED, Input.CREATED): State.DISCARDED,
    (State.UNWANTED, Input.REFUSED): State.GONE,
    (State.UNWANTED, Input.BUSY): State.GONE,
    (State.UNWANTED, Input.DONE): State.GONE,
    (State.UNWANTED, Input.SILENCE): State.GONE,
    (State.ACTIVE, Input.CANCELLED): State.CANCELLING,
    (State.ACTIVE, Input.GIVEN_UP): State.DISCARDED,
    (State.ACTIVE, Input.DONE): State.GONE,
    (State.ACTIVE, Input.SILENCE): State.GONE,
    (State.CANCELLING, Input.GIVEN_UP): State.DISCARDED,
    (State.CANCELLING, Input.DONE): State.GONE,
    (State.CANCELLING, Input.SILENCE): State.GONE,
    (State.DISCARDED, Input.DONE): State.GONE,
    (State.DISCARDED, Input.SILENCE): State.GONE,
}
"""A pair that is not here changes nothing: the network may say anything in any order."""

BEGUN: Final = frozenset({State.ACTIVE, State.CANCELLING, State.DISCARDED})
"""The server has said that it exists, and not that it is over."""


class Asked(NamedTuple):
    """A create as it was asked for. `raw` is what goes out: the struct, or the caller's dict."""

    event_id: str
    event: ResponseCreate
    raw: Any
    when_busy: WhenBusy = "send"
    expires: float = math.inf
    """Until when its caller waits for `response.created`."""
    extra: str | None = None
    """Instructions to be appended to those in force."""
    at: float | None = None
    """When it was asked for."""

    @property
    def in_conversation(self) -> bool:
        """Whether it takes part in the default conversation, where one is active at a time."""
        return not self.event.response or self.event.response.conversation != "none"

    @property
    def tools_off(self) -> bool:
        """Whether it was asked not to call anything."""
        params = self.event.response
        if not params:
            return False
        return params.tools == () or params.tool_choice == "none"

    @property
    def offered(self) -> frozenset[str]:
        """The names of the tools that it alone was given."""
        tools = (self.event.response.tools or ()) if self.event.response else ()
        names = (getattr(tool, "name", None) for tool in tools)
        return frozenset(name for name in names if isinstance(name, str))


class ResponseRecord:
    """One response as the router knows it."""

    __slots__ = (
        "asked",
        "audio_format",
        "cancel_id",
        "created",
        "finished",
        "has_caller",
        "heard",
        "id",
        "in_conversation",
        "initiator",
        "items",
        "key",
        "retry_at",
        "seen",
        "state",
        "tries",
    )

    def __init__(
        self,
        state: State,
        initiator: Initiator,
        *,
        key: str | None = None,
        asked: Asked | None = None,
        in_conversation: bool = True,
        heard: float = math.inf,
    ) -> None:
        self.state = state
        self.initiator = initiator
        self.key = key
        self.asked = asked
        self.has_caller = asked is not None
        """Whether its caller still waits for its beginning."""
        self.in_conversation = in_conversation
        self.heard = heard
        """When something was last heard of it."""
        self.audio_format: AudioFormat | None = None
        """What its audio is in, as far as that was acknowledged."""
        self.created = False
        """Whether its `response.created` has come."""
        self.id: str | None = None
        self.cancel_id: str | None = None
        """The `event_id` of the cancel that has been sent for it."""
        self.retry_at = -math.inf
        self.tries = 0
        self.items: list[str] = []
        self.finished: set[str] = set()
        """The items of it that are complete."""
        self.seen: dict[str, int] = {}
        """A trace of each event of it that has come, by `event_id`."""

    @property
    def event_id(self) -> str | None:
        """The name of the request that it answers."""
        return self.asked.event_id if self.asked else None

    def step(self, happened: Input) -> State:
        """Follow the table; returns the new state."""
        self.state = TRANSITIONS.get((self.state, happened), self.state)
        if happened is Input.GIVEN_UP:
            self.has_caller = False
        return self.state

    def outcome(self, answer: Any = None, error: RealtimeError | None = None) -> Outcome | None:
        """The end of its request: made once, and only where somebody waits for it."""
        if self.asked is None or not self.has_caller:
            return None
        self.has_caller = False
        return Outcome(self.asked.event_id, answer, error)
