"""What outlives a connection: the configuration, and the conversation as far as it was heard.

"There is no resume: a new connection has an empty conversation." So what the old one knew is
taken along as values: what was asked of the session and acknowledged, and each item in a form
that a client may create again. A user's audio comes back as audio where it was kept, and else
as its transcript. What the model said comes back as text, and only as far as it was heard: a
model that remembers words which nobody heard goes on as if they had been said.

What cannot be created again is left behind, and named with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, NamedTuple

from msgspec.structs import replace
from pybase64 import b64encode

from realtime_client.calls import Calls
from realtime_client.conversation import Conversation
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
from realtime_client.kept import id_of, is_audio, is_growing, transcript_of
from realtime_client.leaves import Leaves
from realtime_client.playback import PlaybackLedger
from realtime_client.router import Router
from realtime_client.usage import UsageLedger

__all__ = ["Carried", "LeftBehind", "Pending", "Restored", "Survivors", "carried"]


class Restored(NamedTuple):
    """An item that the new session has under its old id.

    `form` is how much of it: `whole`; `text`, where its audio came back as its transcript; or
    `heard`, where it is what the listener had heard of it when the connection changed.
    """

    item_id: str
    form: Literal["whole", "text", "heard"]


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


class Survivors(NamedTuple):
    """What a new connection takes over from the one before."""

    calls: Calls
    playback: PlaybackLedger
    usage: UsageLedger
    router: Router
    input: InputLedger
    conversation: Conversation


class Carried(NamedTuple):
    """What is to be put into a new session, in this order."""

    session: Leaves
    items: tuple[tuple[Item, Restored], ...]
    left: tuple[LeftBehind, ...]
    playing: Mapping[str, str]
    """The messages of which more may be heard yet, and all the words of each."""
    forgotten: int
    """Of the oldest items, those that the mirror did not keep (`max_items`)."""


def carried(old: Survivors, session: Leaves, now: float) -> Carried:
    """What to take along; nothing of what is carried is changed by that."""
    found = list(_items(old, now))
    items = tuple(one for one in found if not isinstance(one, LeftBehind))
    left = tuple(one for one in found if isinstance(one, LeftBehind))
    playing = {}
    for item in old.conversation.items:
        item_id = id_of(item) or ""
        if old.playback.has_listener and old.playback.heard(item_id, 0, now) is not None:
            words = transcript_of(item, 0)
            if words is not None and not is_growing(item):
                playing[item_id] = words
    return Carried(session, items, left, playing, old.conversation.forgotten)


class _Form:
    """How much of an item comes back: what was worst of its parts."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: Literal["whole", "text", "heard"] = "whole"


_SILENT: Final = "nobody heard a word of it"
_NO_WORDS: Final = "its audio is not kept here, and it has no transcript"


def _items(old: Survivors, now: float) -> Iterator[tuple[Item, Restored] | LeftBehind]:
    """The items of a conversation, each as it can be created again, or why it cannot."""
    called: set[object] = set()
    for item in old.conversation.items:
        item_id = id_of(item) or ""
        form = _Form()
        match item:
            case McpListToolsItem():
                continue  # the new session asks the server of the tools by itself
            case MessageItem(role="assistant"):
                again: Item | str = _said(item, item_id, old, now, form)
            case MessageItem():
                again = _written(item, item_id, old.input, form)
            case FunctionCallItem() if is_growing(item) or item.status == "incomplete":
                again = "the call was cut off"
            case FunctionCallOutputItem() if item.call_id not in called:
                again = "its call is not there"
            case FunctionCallItem() | FunctionCallOutputItem():
                called.add(item.call_id)
                again = replace(item, object=UNSET, status=UNSET)
            case _:
                again = f"a client cannot create an item of type {item.type}"
        if isinstance(again, str):
            yield LeftBehind(item_id, item, again)
        else:
            yield again, Restored(item_id, form.value)


def _written(item: MessageItem, item_id: str, ledger: InputLedger, form: _Form) -> Item | str:
    """A message of the user or of the system."""
    parts = []
    for part in item.content or ():
        again = _part(part, item_id, ledger, form)
        if isinstance(again, str):
            return again
        parts.append(again)
    return MessageItem(id=item_id, role=item.role, content=tuple(parts))


def _part(
    part: ContentPart, item_id: str, ledger: InputLedger, form: _Form
) -> ContentPart | str:
    if is_audio(part):
        audio = ledger.kept.get(item_id) if ledger.kept is not None else None
        if audio is not None:
            return ContentPart(type="input_audio", audio=b64encode(audio).decode())
        if not isinstance(part.transcript, str) or not part.transcript:
            return _NO_WORDS
        form.value = "text"
        return ContentPart(type="input_text", text=part.transcript)
    if part.type == "input_image" and not part.image_url:
        return "its picture is not here"
    return part


def _said(
    item: MessageItem, item_id: str, old: Survivors, now: float, form: _Form
) -> Item | str:
    """A message of the model: what of it was heard, as text."""
    texts = []
    parts: Any = item.content or ()
    count = max(len(parts), 1 if is_growing(item) else 0)
    for index in range(count):
        part = parts[index] if index < len(parts) else None
        if part is not None and not is_audio(part):
            if is_growing(item):
                return "it was not finished"
            texts.append(part.text or "")
            continue
        text = _heard(item, item_id, index, old, now, form)
        if text:
            texts.append(text)
    content = tuple(ContentPart(type="output_text", text=text) for text in texts if text)
    if not content:
        return _SILENT if form.value == "heard" or not is_growing(item) else "it was not finished"
    return MessageItem(id=item_id, role="assistant", content=content)


def _heard(
    item: MessageItem, item_id: str, index: int, old: Survivors, now: float, form: _Form
) -> str | None:
    """The words of a part that were heard: of one that is being played, up to now."""
    interrupted = old.conversation.interrupted.get((item_id, index))
    if interrupted is not None:
        form.value = "heard"
        return interrupted.heard
    if (item_id, index) in old.conversation.truncations:
        form.value = "heard"
        return None  # cut by hand, and nobody here knows at which word
    progress = old.playback.heard(item_id, index, now) if old.playback.has_listener else None
    if progress is not None:
        form.value = "heard"
        return progress.transcript
    if is_growing(item):
        return None
    form.value = "text" if form.value == "whole" else form.value
    return transcript_of(item, index)
