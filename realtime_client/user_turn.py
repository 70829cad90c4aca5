"""What a caller holds of a turn of the user: its words as they come, and what they came to.

Nothing here waits and nothing here decides: the machine in `turns` has found out what its notes
tell, and `UserTurns` hands each to the turn that it is about. A turn appears when it begins,
which is when the user starts to speak and long before anybody knows a word of it.

What nobody holds is not kept: watches and turns are known by weak reference only. So everything
that can be held of a turn holds the turn.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from weakref import WeakSet, WeakValueDictionary

from realtime_client.errors import ClientClosed, RealtimeError
from realtime_client.streams import Kept, Once, Reader
from realtime_client.turns import (
    TurnBegan,
    TurnDelta,
    TurnEnded,
    TurnNote,
    TurnText,
    UserSaid,
)

__all__ = ["UserTurn", "UserTurns"]

TURNS_BOUND: Final = 64
"""Turns that one unread `user_turns()` may hold."""


class UserTurn:
    """One turn of the user. `async for` gives its words as they are written down.

    Each reader starts at the first word. Where the session has no transcription there are no
    words, and both the words and the turn end when its audio is committed.
    """

    __slots__ = ("__weakref__", "_deltas", "_parts", "item_id", "said")

    def __init__(self, item_id: str) -> None:
        self.item_id = item_id
        """The user's message in the conversation, once there is one."""
        self.said: UserSaid | None = None
        """What the user said, once the turn is over. A later word of the server corrects it."""
        self._deltas: Kept[str] = Kept()
        self._parts: dict[int, str] = {}

    def __repr__(self) -> str:
        status = self.said.status if self.said is not None else "in_progress"
        return f"<UserTurn {self.item_id} {status}>"

    @property
    def so_far(self) -> str:
        """The words that are known now. A whole text replaces the deltas before it."""
        return "".join(self._parts[index] for index in sorted(self._parts))

    async def done(self) -> UserSaid:
        """Wait until the turn is over: committed, and transcribed where the session transcribes.

        A transcription that failed is no error of this call: `status` and `error` tell.

        Raises:
            ConnectionLost: The connection broke before the end.
            ClientClosed: The client was closed before the end.
        """
        await self._deltas.wait_ended()
        assert self.said is not None, "a turn ends with an error or with what was said"
        return self.said

    def __aiter__(self) -> Reader[str]:
        return self._deltas.read(self)

    # -- from the reader --------------------------------------------------------------

    def _tell(self, note: TurnDelta | TurnText | TurnEnded) -> None:
        """Take one note about this turn, which has begun."""
        match note:
            case TurnDelta(content_index=index, delta=delta):
                self._parts[index] = self._parts.get(index, "") + delta
                self._deltas.push(delta)
            case TurnText(content_index=index, text=text):
                known = self._parts.get(index, "")
                if text.startswith(known) and text != known:
                    self._deltas.push(text[len(known) :])
                self._parts[index] = text
            case TurnEnded(said=said):
                self.said = said
                self._deltas.end()

    def _end(self, error: RealtimeError) -> None:
        """No more notes will come."""
        self._deltas.end(error)


class UserTurns:
    """Everybody who listens to the user on one connection, and the turns that they hold."""

    __slots__ = ("_turns", "_watches")

    def __init__(self) -> None:
        self._watches: WeakSet[Once[UserTurn]] = WeakSet()
        self._turns: WeakValueDictionary[str, UserTurn] = WeakValueDictionary()

    def subscribe(self) -> Once[UserTurn]:
        """A new watch of the turns that begin from now on."""
        watch: Once[UserTurn] = Once(
            "user_turns()", bound=TURNS_BOUND, size=lambda _: 1, unit="turns"
        )
        self._watches.add(watch)
        return watch

    def tell(self, notes: Iterable[TurnNote]) -> None:
        """Hand each note to the turn that it is about, if anybody holds that."""
        for note in notes:
            if isinstance(note, TurnBegan):
                self._begin(note.item_id)
                continue
            turn = self._turns.get(note.item_id)
            if turn is not None:
                turn._tell(note)

    def lost(self, error: RealtimeError) -> None:
        """The connection is over: of its turns no more will be known."""
        for turn in list(self._turns.values()):
            turn._end(error)

    def end(self, error: RealtimeError) -> None:
        """The session is over; closing it oneself is no error of the turns to come."""
        self.lost(error)
        for watch in list(self._watches):
            watch.end(None if isinstance(error, ClientClosed) else error)

    def _begin(self, item_id: str) -> None:
        """A turn begins. Where nobody listens, nothing is kept of it."""
        turn = self._turns[item_id] = UserTurn(item_id)
        for watch in list(self._watches):
            watch.push(turn)
