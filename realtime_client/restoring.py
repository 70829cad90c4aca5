"""A new connection is made to know what the old one knew, each step acknowledged.

::

    session.created -> session.update -> session.updated
        -> conversation.item.create, in order -> conversation.item.added, each
        -> the creates that nobody had answered

All items go out at once: each is answered by its own event, and one that is refused takes no
other with it. The new conversation is empty, so they are appended and name no predecessor.

An item that somebody was creating when the connection went has an id of its own, so asking for
it again does no harm: a server that has it says so. Where the conversation outlives its
connection (a sideband joins a call that goes on), nothing is put into it, and the server is
asked for such an item first.

A connection that is made before the old one is over catches up with it, by the fewest deletes
and creates, until both know the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from realtime_client.acknowledgement import Intent
from realtime_client.carrying import Carried, LeftBehind, Pending, Restored, Survivors
from realtime_client.conversation import Change
from realtime_client.desk import Desk
from realtime_client.errors import ServerError
from realtime_client.events import (
    ConversationItemAdded,
    ConversationItemCreate,
    ConversationItemDelete,
    ConversationItemRetrieve,
    ConversationItemRetrieved,
    Item,
    TranscriptionSessionConfig,
)
from realtime_client.kept import id_of
from realtime_client.leaves import differing
from realtime_client.machines import Machines
from realtime_client.outcome import Outcome
from realtime_client.syncing import plan

__all__ = ["DUPLICATE_ITEM", "Estate", "Restoring"]

DUPLICATE_ITEM: Final = "item_create_duplicate_item_id"


class Estate(NamedTuple):
    """What a connection leaves to the next one."""

    carried: Carried
    survivors: Survivors


class Restoring:
    """What is being put into a new session, and what has become of it.

    With `resumes` the conversation is there already, because it outlives its connections.
    """

    __slots__ = ("_asked", "_desk", "_estate", "_machines", "_refused", "_restored", "_settling",
                 "resumes")  # fmt: skip

    def __init__(
        self, estate: Estate, desk: Desk, machines: Machines, *, resumes: bool = False
    ) -> None:
        self.resumes = resumes
        self._estate = estate
        self._desk = desk
        self._machines = machines
        self._asked: dict[str, tuple[Item | None, Restored | None]] = {}
        self._restored: dict[str, Restored] = {}
        self._refused: dict[str, LeftBehind] = {}
        self._settling: dict[str, tuple[Pending, bool]] = {}

    @property
    def is_done(self) -> bool:
        """Whether nothing is on its way any more."""
        return not self._asked

    @property
    def restored(self) -> tuple[Restored, ...]:
        """What the new session has of the old one's items."""
        return tuple(self._restored.values())

    @property
    def forgotten(self) -> int:
        """Items that nobody here knew, and that the old session had."""
        return self._estate.carried.forgotten

    @property
    def left(self) -> tuple[LeftBehind, ...]:
        """What could not be carried, and what the server has refused."""
        if self.resumes or self._has_no_model:
            return ()
        return (*self._estate.carried.left, *self._refused.values())

    @property
    def _has_no_model(self) -> bool:
        """Whether nobody would remember anything: a session that only transcribes."""
        return isinstance(self._machines.config.acknowledged, TranscriptionSessionConfig)

    def begin(self) -> None:
        """The session is configured: the conversation goes out."""
        if self.resumes or self._has_no_model:
            return
        carried = self._estate.carried
        self._machines.memories = dict(carried.playing)
        for item, restored in carried.items:
            self._create(ConversationItemCreate(item=item), restored)

    def catch_up(self, estate: Estate, now: float) -> bool:
        """The old connection has gone on meanwhile; whether nothing is left to be done for that.

        To be asked again when what it has queued is answered.
        """
        self._estate = estate
        if self.resumes or not self.is_done:
            return self.is_done
        self._machines.memories = dict(estate.carried.playing)
        config, carried = self._machines.config, estate.carried
        missing = differing(carried.session, config.obtained)
        if missing and not config.in_flight:
            intent = Intent(self._desk.new_id("event"), missing, now + 10.0)
            self._asked[intent.event_id] = None, None
            self._desk.ask_config(intent)
        if self._has_no_model:
            return self.is_done
        wanted = {id_of(item) or "": (item, form) for item, form in carried.items}
        there = self._machines.conversation
        todo = plan(
            there.items,
            [
                # What is being played grows with every word; it is rewritten when it is over.
                (there.get(item_id) if item_id in carried.playing else None) or item
                for item_id, (item, _) in wanted.items()
                if item_id not in self._refused
            ],
            new_id=lambda: self._desk.new_id("item"),
            audio_as_text=True,
        )
        for item_id in todo.deletes:
            self._restored.pop(item_id, None)
            delete = ConversationItemDelete(item_id=item_id)
            self._asked[self._desk.ask(delete, delete)] = None, None
        for create in todo.creates:
            self._create(create, wanted[id_of(create.item) or ""][1])
        return self.is_done

    def settle(self, waiting: Iterable[Pending]) -> None:
        """The connection is the one in force: the items that somebody waits for are seen to."""
        self._announce()
        for pending in waiting:
            item_id = id_of(pending.event.item)
            if self.resumes and pending.was_sent and item_id is not None:
                look = ConversationItemRetrieve(event_id=pending.event_id, item_id=item_id)
                self._settling[pending.event_id] = pending, True
                self._desk.ask(look, look)
            else:
                self._create_pending(pending)

    def see(self, ended: Iterable[Outcome]) -> list[Outcome]:
        """Take what is ours out of the outcomes; returns what is for others."""
        return [told for outcome in ended if (told := self._see(outcome)) is not None]

    def _see(self, outcome: Outcome) -> Outcome | None:
        if outcome.event_id in self._settling:
            return self._settled(outcome, *self._settling.pop(outcome.event_id))
        if outcome.event_id not in self._asked:
            return outcome
        item, restored = self._asked.pop(outcome.event_id)
        self._desk.forget(outcome.event_id)
        if restored is not None and outcome.error is None:
            self._restored[restored.item_id] = restored
        elif restored is not None:
            why = f"the server refused it: {outcome.error}"
            self._refused[restored.item_id] = LeftBehind(restored.item_id, item, why)
        return None

    def _settled(self, outcome: Outcome, pending: Pending, looked: bool) -> Outcome | None:
        """What an answer means to whoever waits for an item.

        A server that has it shows it, or refuses to make it again.
        """
        error = outcome.error
        if isinstance(outcome.answer, ConversationItemRetrieved):
            return Outcome(outcome.event_id, ConversationItemAdded(item=outcome.answer.item))
        if isinstance(error, ServerError) and error.name == DUPLICATE_ITEM:
            return Outcome(outcome.event_id, ConversationItemAdded(item=pending.event.item))
        if isinstance(error, ServerError) and looked:
            self._create_pending(pending)
            return None
        return outcome

    def _announce(self) -> None:
        """Whoever watches the conversation is told how it differs from the one before."""
        if self.resumes:
            return
        before = {id_of(item) or "": item for item in self._estate.survivors.conversation.items}
        now = self._machines.conversation
        notes = [
            Change("deleted", item_id, item)
            for item_id, item in before.items()
            if now.get(item_id) is None
        ]
        for item in now.items:
            item_id = id_of(item) or ""
            known, place = before.get(item_id), now.before(item_id)
            previous = None if place == "root" else place
            if known is None or known != item:
                notes.append(Change("added", item_id, item, known, previous))
        now.notes.clear()
        now.notes.extend(notes)

    def _create(self, create: ConversationItemCreate, restored: Restored) -> None:
        self._asked[self._desk.ask(create, create)] = create.item, restored

    def _create_pending(self, pending: Pending) -> None:
        self._settling[pending.event_id] = pending, False
        self._desk.ask(pending.event, pending.raw)
