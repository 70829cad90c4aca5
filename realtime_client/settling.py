"""The items that somebody was creating when the connection went: each gets its end on the next.

Such an item has an id of its own, so asking for it again does no harm: a server that has it says
so. Where the conversation outlives its connection (a sideband joins a call that goes on), the
server is asked for it first.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from realtime_client.carrying import Pending
from realtime_client.desk import Desk
from realtime_client.errors import ServerError
from realtime_client.events import (
    ConversationItemAdded,
    ConversationItemRetrieve,
    ConversationItemRetrieved,
    FunctionCallOutputItem,
    Item,
)
from realtime_client.kept import id_of
from realtime_client.machines import Machines
from realtime_client.outcome import Outcome

__all__ = ["DUPLICATE_ITEM", "Settling"]

DUPLICATE_ITEM: Final = "item_create_duplicate_item_id"


class Settling:
    """What has become of the creates that came from the connection before."""

    __slots__ = ("_created", "_desk", "_looked_for", "_machines", "_resumes")

    def __init__(self, desk: Desk, machines: Machines, *, resumes: bool) -> None:
        self._desk = desk
        self._machines = machines
        self._resumes = resumes
        self._looked_for: dict[str, Pending] = {}
        self._created: dict[str, Pending] = {}

    @property
    def looked_for(self) -> tuple[Pending, ...]:
        """Those of which it is asked whether the server has them."""
        return tuple(self._looked_for.values())

    def begin(self, waiting: Iterable[Pending]) -> None:
        """The connection is the one in force: each is looked for, or created."""
        for pending in waiting:
            item_id = id_of(pending.event.item)
            if self._resumes and pending.was_sent and item_id is not None:
                self._looked_for[pending.event_id] = pending
                look = ConversationItemRetrieve(event_id=pending.event_id, item_id=item_id)
                self._desk.ask(look, look)
            else:
                self._create(pending)

    def see(self, outcome: Outcome) -> Outcome | None:
        """What the end of a request means to whoever waits for an item; None for nothing yet.

        A server that has it shows it, or refuses to make it again.
        """
        looked_for = self._looked_for.pop(outcome.event_id, None)
        created = self._created.pop(outcome.event_id, None)
        error = outcome.error
        if looked_for is not None and isinstance(outcome.answer, ConversationItemRetrieved):
            return self._is_there(outcome.event_id, outcome.answer.item)
        if looked_for is not None and isinstance(error, ServerError):
            self._create(looked_for)
            return None
        if created is not None and isinstance(error, ServerError) and error.name == DUPLICATE_ITEM:
            return self._is_there(outcome.event_id, created.event.item)
        return outcome

    def _create(self, pending: Pending) -> None:
        self._created[pending.event_id] = pending
        self._desk.ask(pending.event, pending.raw)

    def _is_there(self, event_id: str, item: Item) -> Outcome:
        """It came into the conversation while nobody here could see that."""
        added = ConversationItemAdded(item=item)
        self._machines.conversation.on_added(added)
        if isinstance(item, FunctionCallOutputItem):
            self._machines.calls.on_output_added(item.call_id)
        return Outcome(event_id, added)
