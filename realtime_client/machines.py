"""The machines of one connection, one of each, and which of them answers a command.

The machines do not know each other. A command reaches one through `ASKING`, from its type to
the machine that will find its answer; what the server says reaches them through `handlers`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, Protocol

import msgspec

from realtime_client import events
from realtime_client.calls import Calls
from realtime_client.carrying import Survivors
from realtime_client.closing import Closing
from realtime_client.config import Configuration
from realtime_client.conversation import Conversation
from realtime_client.dialects import Dialect
from realtime_client.errors import ServerError
from realtime_client.input import InputLedger
from realtime_client.lives import State
from realtime_client.memories import Memories
from realtime_client.outcome import Outcome
from realtime_client.playback import Cut, PlaybackLedger, Unheard
from realtime_client.router import PATIENCE, Router
from realtime_client.turns import Turns
from realtime_client.usage import UsageLedger

__all__ = [
    "ASKING",
    "Command",
    "Limits",
    "Machine",
    "Machines",
    "text",
    "with_item_id",
]

Command = events.ClientEvent | events.TranslationClientEvent | dict[str, Any]


class Machine(Protocol):
    """What can hold a question that the server may refuse."""

    def on_refused(self, event_id: str, error: ServerError) -> Outcome | None:
        """An `error` named this request; no success will come for it."""


class Limits(NamedTuple):
    """How far a connection goes before it gives up or forgets.

    `patience` is for how many seconds a response may be silent before it counts as abandoned,
    `max_items` how many items of the conversation are mirrored. `unheard` is what becomes, at an
    interruption, of an item that nobody has heard a word of. `replay_ms` is how much audio is
    kept that no turn holds yet, and with `keep_user_audio` that of the turns is kept, too: both
    are for the next connection.
    """

    patience: float = PATIENCE
    max_items: int = 2_000
    unheard: Unheard = "truncate"
    replay_ms: int = 30_000
    keep_user_audio: bool = False


class Machines:
    """One of each. What counts or watches beyond one connection comes from the one before."""

    __slots__ = (
        "calls",
        "closing",
        "config",
        "conversation",
        "cuts",
        "input",
        "memories",
        "playback",
        "router",
        "turns",
        "usage",
    )

    def __init__(
        self, nonce: str, dialect: Dialect, limits: Limits, before: Survivors | None = None
    ) -> None:
        self.config = Configuration(acknowledges=dialect.acknowledges_updates)
        self.router = Router(nonce, dialect, patience=limits.patience)
        self.conversation = Conversation(max_items=limits.max_items)
        self.turns = Turns()
        self.closing = Closing()
        self.input = InputLedger(limit=limits.replay_ms, keeps=limits.keep_user_audio)
        self.cuts: list[Cut] = []
        """What is to be truncated or deleted, because it was not heard."""
        self.memories = Memories()
        """The messages that came back as text while they were played."""
        self.calls = before.calls if before else Calls()
        self.playback = before.playback if before else PlaybackLedger(unheard=limits.unheard)
        self.usage = before.usage if before else UsageLedger()
        if before:
            self.router.counts = before.router.counts
            self.input.kept = before.input.kept

    def lost(self, *, comes_back: bool, unsent: int) -> None:
        """The connection is over: nothing more will be said of what was going on.

        `unsent` bytes of audio have not gone out.
        """
        begun = self.router.begun
        unwanted = {record.id or "" for record in begun if record.state is not State.ACTIVE}
        for record in begun:
            for item_id in record.items:
                self.playback.on_over(item_id, record.heard)
        self.router.lost()
        self.conversation.lost()
        self.input.on_lost(unsent)
        if comes_back:
            self.calls.go_on(unwanted)
        else:
            self.calls.lost()

    @property
    def survivors(self) -> Survivors:
        """What the next connection takes over."""
        return Survivors(
            self.calls,
            self.playback,
            self.usage,
            self.router,
            self.input,
            self.conversation,
            self.memories,
        )


def text(value: object, name: str) -> str | None:
    """A field where it is there and a text; null and UNSET are neither."""
    field = getattr(value, name, None)
    return field if isinstance(field, str) else None


# -- commands -------------------------------------------------------------------------------
#
# `event` is the typed command and `raw` what goes out, which is the same struct or the
# caller's own dict.


class Asked(NamedTuple):
    """Who will find the answer, and what goes out."""

    machine: Machine
    event: Any
    raw: Any


def _ask_item(machines: Machines, event: Any, raw: Any, event_id: str) -> Asked:
    machines.conversation.ask(event, event_id)
    return Asked(machines.conversation, event, raw)


def _ask_commit(machines: Machines, event: Any, raw: Any, event_id: str) -> Asked:
    machines.input.commit(event_id)
    return Asked(machines.input, event, raw)


def _ask_clear(machines: Machines, event: Any, raw: Any, event_id: str) -> Asked:
    machines.input.clear(event_id)
    return Asked(machines.input, event, raw)


def _ask_close(machines: Machines, event: Any, raw: Any, event_id: str) -> Asked:
    machines.closing.ask(event_id, machines.input.appended)
    return Asked(machines.closing, event, raw)


ASKING: Final[Mapping[type, Callable[[Machines, Any, Any, str], Asked]]] = {
    events.ConversationItemCreate: _ask_item,
    events.ConversationItemDelete: _ask_item,
    events.ConversationItemRetrieve: _ask_item,
    events.ConversationItemTruncate: _ask_item,
    events.InputAudioBufferCommit: _ask_commit,
    events.InputAudioBufferClear: _ask_clear,
    events.SessionClose: _ask_close,
}
"""The commands that the server answers at once. `session.update` and `response.create` wait for
their turn, which is a machine's to say."""


def with_item_id(command: Any, item_id: str) -> Any:
    """A `conversation.item.create` whose item has an id to be found again by."""
    if isinstance(command, dict):
        return {**command, "item": {**command["item"], "id": item_id}}
    if isinstance(command.item, events.UnknownVariant):
        item = events.UnknownVariant(raw={**command.item.raw, "id": item_id})
        return msgspec.structs.replace(command, item=item)
    item = msgspec.structs.replace(command.item, id=item_id)
    return msgspec.structs.replace(command, item=item)
