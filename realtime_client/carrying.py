"""What outlives a connection: the configuration, and the conversation as far as it was heard.

"There is no resume: a new connection has an empty conversation." So what the old one knew is
taken along as values: what was asked of the session and acknowledged, and each item in a form
that a client may create again. A user's audio comes back as audio where it was kept, and else
as its transcript. What the model said comes back as text, and only as far as it was heard; see
`recalling`.

What cannot be created again is left behind, and named with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from msgspec.structs import replace
from pybase64 import b64encode

from realtime_client.events import (
    UNSET,
    ContentPart,
    ConversationItemCreate,
    FunctionCallItem,
    FunctionCallOutputItem,
    Item,
    McpListToolsItem,
    MessageItem,
)
from realtime_client.input import InputLedger
from realtime_client.kept import id_of, is_audio, is_growing
from realtime_client.leaves import Leaves
from realtime_client.memories import Memory, spoken
from realtime_client.recalling import Form, Recollection
from realtime_client.survivors import Survivors

__all__ = ["Carried", "LeftBehind", "Pending", "Restored", "Survivors", "carried"]


class Restored(NamedTuple):
    """An item that the new session has under its old id.

    `form` is how much of it: `whole`; `text`, where its audio came back as its transcript; or
    `heard`, where it is what the listener had heard of it when the connection changed.
    """

    item_id: str
    form: Form


class LeftBehind(NamedTuple):
    """An item that the new session does not have, and why not; `item` is what it was."""

    item_id: str
    item: Item | None
    why: str


class Pending(NamedTuple):
    """An item that somebody is creating, and that nobody has answered.

    `raw` is what goes out, the struct or the caller's own dict; `was_sent`, whether the server
    may have it already.
    """

    event_id: str
    event: ConversationItemCreate
    raw: Any
    was_sent: bool


class Carried(NamedTuple):
    """What is to be put into a new session, in this order."""

    session: Leaves
    items: tuple[tuple[Item, Restored], ...]
    left: tuple[LeftBehind, ...]
    playing: Mapping[str, Memory]
    """The messages of which more may be heard yet, be they among the items or not."""
    forgotten: int
    """Of the oldest items, those that the mirror did not keep (`max_items`)."""


def carried(old: Survivors, session: Leaves, now: float) -> Carried:
    """What to take along; nothing of what is carried is changed by that."""
    luggage = _Luggage(old, now)
    for item_id, item in _in_order(old):
        luggage.put(item_id, item)
    for item_id in old.input.awaited:
        if old.conversation.get(item_id) is None:
            luggage.put_unseen(item_id)
    return Carried(
        session,
        tuple(luggage.items),
        tuple(luggage.left),
        luggage.playing,
        old.conversation.forgotten,
    )


def _in_order(old: Survivors) -> Iterator[tuple[str, Item | None]]:
    """The items, and in their places the messages that are only just being put there."""
    found: list[tuple[str, Item | None]] = [
        (id_of(item) or "", item) for item in old.conversation.items
    ]
    for item_id, memory in old.memories:
        if old.conversation.get(item_id) is None:
            places = {known: place for place, (known, _) in enumerate(found, 1)}
            place = 0 if memory.after == "root" else places.get(memory.after, len(found))
            found.insert(place, (item_id, None))
    yield from found


_CALL_CUT_OFF: Final = "the call was cut off"
_NO_CALL: Final = "its call is not there"
_NO_CONTENT: Final = "nothing is known of what it says"
_NO_PICTURE: Final = "its picture is not here"
_NO_WORDS: Final = "its audio is not kept here, and it has no transcript"
_UNSEEN: Final = "it was committed, and nobody had seen it yet"


class _Luggage:
    """What is gathered of the items of a conversation, one after the other."""

    def __init__(self, old: Survivors, now: float) -> None:
        self.items: list[tuple[Item, Restored]] = []
        self.left: list[LeftBehind] = []
        self.playing: dict[str, Memory] = {}
        self._input = old.input
        self._recollection = Recollection(old, now)
        self._called: set[object] = set()
        self._last = "root"

    def put(self, item_id: str, item: Item | None) -> None:
        """An item, as it can be created again, or why it cannot."""
        match item:
            case McpListToolsItem():
                return  # the new session asks the server of the tools by itself
            case None | MessageItem(role="assistant"):
                self._put_spoken(item_id, item)
            case MessageItem():
                again, form = _written(item, item_id, self._input)
                self._put(item_id, item, again, form)
            case FunctionCallItem() if is_growing(item) or item.status == "incomplete":
                self._put(item_id, item, _CALL_CUT_OFF)
            case FunctionCallOutputItem() if item.call_id not in self._called:
                self._put(item_id, item, _NO_CALL)
            case FunctionCallItem() | FunctionCallOutputItem():
                self._called.add(item.call_id)
                self._put(item_id, item, replace(item, object=UNSET, status=UNSET))
            case _:
                why = f"a client cannot create an item of type {item.type}"
                self._put(item_id, item, why)

    def put_unseen(self, item_id: str) -> None:
        """A message of the user that the server has committed and not shown."""
        audio = self._input.said(item_id)
        if audio is None:
            self._put(item_id, None, _UNSEEN)
        else:
            item = MessageItem(id=item_id, role="user", content=(_audio(audio),))
            self._put(item_id, None, item)

    def _put_spoken(self, item_id: str, item: Item | None) -> None:
        what = self._recollection.of(item_id, item)
        if what.playing is not None:
            self.playing[item_id] = Memory(what.playing, self._last)
            self._last = item_id
        again = spoken(item_id, what.heard)
        if item is not None or again is not None:
            self._put(item_id, item, again or what.why, what.form)

    def _put(
        self, item_id: str, item: Item | None, again: Item | str, form: Form = "whole"
    ) -> None:
        if isinstance(again, str):
            self.left.append(LeftBehind(item_id, item, again))
        else:
            self.items.append((again, Restored(item_id, form)))
            self._last = item_id


def _written(item: MessageItem, item_id: str, ledger: InputLedger) -> tuple[Item | str, Form]:
    """A message of the user or of the system."""
    parts: list[ContentPart] = []
    form: Form = "whole"
    said = ledger.said(item_id) if sum(map(is_audio, item.content or ())) == 1 else None
    for part in item.content or ():
        if part.type == "input_image" and not part.image_url:
            return _NO_PICTURE, form
        if not is_audio(part):
            parts.append(part)
        elif said is not None:
            parts.append(_audio(said))
        elif isinstance(part.transcript, str) and part.transcript:
            form = "text"
            parts.append(ContentPart(type="input_text", text=part.transcript))
        else:
            return _NO_WORDS, form
    if not parts:
        return _NO_CONTENT, form
    return MessageItem(id=item_id, role=item.role, content=tuple(parts)), form


def _audio(audio: bytes) -> ContentPart:
    return ContentPart(type="input_audio", audio=b64encode(audio).decode())
