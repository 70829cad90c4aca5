"""A new connection is made to know what the old one knew, each step acknowledged.

::

    session.created -> session.update -> session.updated
        -> conversation.item.create, in order -> conversation.item.added, each
        -> the creates that nobody had answered

All items go out at once: each is answered by its own event, and one that is refused takes no
other with it. Only where a refusal does not say what it refuses they go out one by one. The new
conversation is empty, so they are appended and name no predecessor.

Where the conversation outlives its connection (a sideband joins a call that goes on), nothing is
put into it, and what is known of it stays known.

A connection that is made before the old one is over catches up with it, by the fewest deletes
and creates, until both know the same. What the server has refused is not tried again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final, Literal, NamedTuple

from realtime_client.acknowledgement import Intent
from realtime_client.asking import RECENT
from realtime_client.carrying import Carried, LeftBehind, Pending, Restored, Survivors
from realtime_client.conversation import Change
from realtime_client.desk import Desk
from realtime_client.errors import ConnectionFailed, RealtimeError
from realtime_client.events import (
    ConversationItemCreate,
    ConversationItemDelete,
    FunctionCallItem,
    FunctionCallOutputItem,
    Item,
    McpListToolsItem,
    MessageItem,
    TranscriptionSessionConfig,
    TranslationSessionConfig,
)
from realtime_client.kept import id_of, is_audio, is_growing
from realtime_client.leaves import Leaves, differing
from realtime_client.machines import Machines
from realtime_client.memories import Memories
from realtime_client.outcome import Outcome
from realtime_client.settling import Settling
from realtime_client.syncing import plan

__all__ = ["Estate", "Restoring"]

PATIENCE: Final = 10.0
"""Seconds for the answer to what has changed of the configuration meanwhile."""


class Estate(NamedTuple):
    """What a connection leaves to the next one."""

    carried: Carried
    survivors: Survivors


class _Step(NamedTuple):
    """Something that is asked of the new server, and about which item of the old one."""

    kind: Literal["update", "create", "delete"]
    item_id: str = ""
    item: Item | None = None
    asked: Leaves | None = None


class Restoring:
    """What is being put into a new session, and what has become of it.

    With `resumes` the conversation is there already, because it outlives its connections.
    """

    __slots__ = ("_asked", "_desk", "_estate", "_machines", "_queue", "_refused", "_refused_update",
                 "_restored", "_strays", "resumes", "settling")  # fmt: skip

    def __init__(
        self, estate: Estate, desk: Desk, machines: Machines, *, resumes: bool = False
    ) -> None:
        self.resumes = resumes
        self.settling = Settling(desk, machines, resumes=resumes)
        """The items that somebody waits for."""
        self._estate = estate
        self._desk = desk
        self._machines = machines
        self._queue: deque[tuple[_Step, ConversationItemCreate | ConversationItemDelete]] = deque()
        self._asked: dict[str, _Step] = {}
        self._restored: set[str] = set()
        self._refused: dict[str, LeftBehind] = {}
        self._refused_update: Leaves | None = None
        self._strays: list[RealtimeError] = []
        if resumes:
            machines.conversation = estate.survivors.conversation

    @property
    def is_done(self) -> bool:
        """Whether nothing is on its way any more."""
        return not self._asked  # as long as there is a queue, something of it is on its way

    @property
    def to_do(self) -> int:
        """How much is not answered yet."""
        return len(self._asked) + len(self._queue)

    @property
    def restored(self) -> tuple[Restored, ...]:
        """What the new session has of the old one's items, in their order."""
        items = self._estate.carried.items
        return tuple(one for _, one in items if one.item_id in self._restored)

    @property
    def forgotten(self) -> int:
        """Items that nobody here knew, and that the old session had."""
        return self._estate.carried.forgotten

    @property
    def left(self) -> tuple[LeftBehind, ...]:
        """What could not be carried, and what the server has refused."""
        if self.resumes or self._has_no_model:
            return ()
        left = self._estate.carried.left
        known = {one.item_id for one in left}
        return (*left, *(one for one in self._refused.values() if one.item_id not in known))

    @property
    def _has_no_model(self) -> bool:
        """Whether nobody would remember anything: a session that transcribes, or translates."""
        kinds = (TranscriptionSessionConfig, TranslationSessionConfig)
        return isinstance(self._machines.config.acknowledged, kinds)

    # -- the conversation -------------------------------------------------------------------

    def begin(self) -> None:
        """The session is configured: the conversation goes out."""
        if self.resumes or self._has_no_model:
            return
        for item, _ in self._estate.carried.items:
            self._create(ConversationItemCreate(item=item))
        self._go_on()

    def catch_up(self, estate: Estate, now: float) -> bool:
        """The old connection has gone on meanwhile; whether nothing is left to be done for that.

        To be asked again when what it has queued is answered.
        """
        self._estate = estate
        if self.resumes or not self.is_done:
            return self.is_done
        self._configure(now)
        if self._has_no_model:
            return self.is_done
        there = self._machines.conversation
        todo = plan(
            [item for item in there.items if self._is_ours(item)],
            list(self._wanted()),
            new_id=lambda: self._desk.new_id("item"),
            audio_as_text=True,
        )
        for item_id in todo.deletes:
            self._restored.discard(item_id)
            step = _Step("delete", item_id, there.get(item_id))
            self._queue.append((step, ConversationItemDelete(item_id=item_id)))
        for create in todo.creates:
            self._create(create)
        self._go_on()
        return self.is_done

    def _configure(self, now: float) -> None:
        config = self._machines.config
        missing = differing(self._estate.carried.session, config.obtained)
        if missing and missing != self._refused_update:
            intent = Intent(self._desk.new_id("event"), missing, now + PATIENCE)
            self._asked[intent.event_id] = _Step("update", asked=missing)
            self._desk.ask_config(intent)

    def _is_ours(self, item: Item) -> bool:
        """Whether an item of the new session is there because it was put there, or can go."""
        kept = isinstance(item, McpListToolsItem) or is_growing(item)
        return not kept and id_of(item) not in self._refused

    def _wanted(self) -> Iterable[Item]:
        """What the new session is to have, as far as the server takes it."""
        carried, there = self._estate.carried, self._machines.conversation
        called = set()
        for item, (item_id, _) in carried.items:
            known = there.get(item_id)
            if item_id in self._refused or (item_id in self._restored and known is None):
                continue  # what was restored and is not there is beyond `max_items`
            if isinstance(item, FunctionCallItem):
                called.add(item.call_id)
            if isinstance(item, FunctionCallOutputItem) and item.call_id not in called:
                self._refused[item_id] = LeftBehind(item_id, item, "its call was not restored")
            elif item_id in carried.playing and known is not None:
                yield known  # it grows with every word, and is corrected when it is over
            else:
                yield item

    def _create(self, create: ConversationItemCreate) -> None:
        item, item_id = create.item, id_of(create.item) or ""
        if isinstance(item, MessageItem) and any(map(is_audio, item.content or ())):
            self._machines.turns.keep_out(item_id)
        self._queue.append((_Step("create", item_id, item), create))

    def _go_on(self) -> None:
        while self._queue and (self._desk.correlates_errors or not self._asked):
            step, event = self._queue.popleft()
            self._asked[self._desk.ask_own(event)] = step

    # -- the end ----------------------------------------------------------------------------

    def settle(self, waiting: Iterable[Pending]) -> None:
        """The connection is the one in force: the items that somebody waits for are seen to."""
        if not self.resumes:
            self._announce()
            playing = self._estate.carried.playing
            refused = self._refused.keys()
            self._machines.memories = Memories(
                {item_id: one for item_id, one in playing.items() if item_id not in refused},
                (one.item_id for one in self.left),
            )
        self.settling.begin(waiting)

    def see(self, ended: Iterable[Outcome]) -> list[Outcome]:
        """Take what is ours out of the outcomes; returns what is for others."""
        others = []
        for outcome in ended:
            step = self._asked.pop(outcome.event_id, None)
            if step is not None:
                self._desk.forget(outcome.event_id)
                self._take(step, outcome.error)
            elif (told := self.settling.see(outcome)) is not None:
                others.append(told)
        self._go_on()
        return others

    def take_strays(self) -> list[RealtimeError]:
        """What went wrong with the configuration since the last call."""
        strays, self._strays = self._strays, []
        return strays

    def _take(self, step: _Step, error: RealtimeError | None) -> None:
        """What has become of a step."""
        if isinstance(error, ConnectionFailed):
            self._queue.clear()
        elif step.kind == "create" and error is None:
            self._restored.add(step.item_id)
        elif step.kind == "update" and error is not None:
            self._refused_update = step.asked
            self._strays.append(error)
        elif error is not None:
            verb = "take it" if step.kind == "create" else "take out what it had of it"
            why = f"the server did not {verb}: {error}"
            self._refused[step.item_id] = LeftBehind(step.item_id, step.item, why)

    def _announce(self) -> None:
        """Whoever watches the conversation is told how it differs from the one before."""
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
        now.notes = deque(notes, maxlen=max(RECENT, len(notes)))  # not one of them falls out
