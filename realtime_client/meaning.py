"""When two items mean the same, and what a client may create again.

Two items mean the same when a model could not tell them apart: what only servers write
(`status`, `object`) does not count, and where both have one id, a null says nothing.

A client may create messages, calls and outputs. Of audio only a user's can be created, and
only by who has it: the mirror keeps none. A transcript can stand for audio as text, if told.
"""

from __future__ import annotations

from collections.abc import Hashable

from msgspec.structs import replace

from realtime_client.errors import UsageError
from realtime_client.events import (
    UNSET,
    ContentPart,
    FunctionCallItem,
    FunctionCallOutputItem,
    Item,
    MessageItem,
)
from realtime_client.kept import is_audio, is_growing

__all__ = ["as_created", "has_audio", "same", "words"]


def words(item: Item) -> Hashable:
    """The same for any two items that mean the same."""
    if isinstance(item, MessageItem):
        return item.role, tuple(_word(part) for part in item.content or ())
    if isinstance(item, FunctionCallItem):
        return item.name, item.arguments or ""
    return item.output if isinstance(item, FunctionCallOutputItem) else None


def _word(part: ContentPart) -> str:
    return part.text or part.transcript or part.image_url or ""


def same(have: Item, want: Item, as_text: bool, *, named: bool) -> bool:
    """Whether a model could not tell them apart; `named` where both have one id."""
    if isinstance(have, MessageItem) and isinstance(want, MessageItem):
        ours, theirs = want.content or (), have.content or ()
        return (
            have.role == want.role
            and len(ours) == len(theirs)
            and all(
                _same_part(one, other, as_text and not _brings(other, want.role), named)
                for one, other in zip(theirs, ours, strict=True)
            )
        )
    if isinstance(have, FunctionCallItem) and isinstance(want, FunctionCallItem):
        told = (have.name, have.arguments or ""), (want.name, want.arguments or "")
        return told[0] == told[1] and _agree(have.call_id, want.call_id)
    if isinstance(have, FunctionCallOutputItem) and isinstance(want, FunctionCallOutputItem):
        return (have.call_id, have.output) == (want.call_id, want.output)
    return named and have.type == want.type


def _same_part(have: ContentPart, want: ContentPart, as_text: bool, named: bool) -> bool:
    kinds = _kind(have), _kind(want)
    if kinds == ("audio", "audio"):
        if named:
            return _agree(have.transcript, want.transcript)
        return not want.audio and bool(want.transcript) and have.transcript == want.transcript
    if kinds == ("text", "audio"):
        known = named or isinstance(want.transcript, str)
        return as_text and known and _agree(have.text, want.transcript)
    if kinds == ("text", "text"):
        return (have.text or "") == (want.text or "")
    if kinds == ("image", "image"):
        same_url = _agree(have.image_url, want.image_url)
        return same_url and (have.detail or "auto") == (want.detail or "auto")
    return have == want


def _agree(have: object, want: object) -> bool:
    """Whether two fields could be the same; null and what is left out say nothing."""
    return have == want or not isinstance(have, str) or not isinstance(want, str)


def _kind(part: ContentPart) -> str:
    """`text`, `audio` or `image`, whoever it is from; or else the part's own type."""
    return str(part.type).removeprefix("input_").removeprefix("output_")


# -- what can be created --------------------------------------------------------------------


def as_created(item: Item, name: str, twin: Item | None, as_text: bool) -> Item:
    """An item as a client may create it; errors call it `name`.

    `twin` is the server's item of the same id and meaning, which may know what this one does not.

    Raises:
        UsageError: It may not.
    """
    if is_growing(item):
        raise UsageError(f"{name} is in progress and cannot be created yet")
    if isinstance(item, MessageItem):
        parts = item.content or ()
        known = twin.content if isinstance(twin, MessageItem) else None
        content = [
            _created_part(part, other, item.role, as_text, name)
            for part, other in zip(parts, known or parts, strict=True)
        ]
        return MessageItem(id=item.id, role=item.role, content=tuple(content))
    if isinstance(item, FunctionCallItem):
        call_id = item.call_id or (twin.call_id if isinstance(twin, FunctionCallItem) else UNSET)
        return replace(item, call_id=call_id, object=UNSET, status=UNSET)
    if isinstance(item, FunctionCallOutputItem):
        return replace(item, object=UNSET, status=UNSET)
    raise UsageError(f"{name} is of type {item.type}, which a client cannot create")


def _created_part(
    part: ContentPart, known: ContentPart, role: str, as_text: bool, name: str
) -> ContentPart:
    kind, text = _kind(part), part.text
    if kind == "image" and not (part.image_url or known.image_url):
        raise UsageError(f"{name} has a picture that is not here, and cannot be created again")
    if kind == "image":
        return replace(part, image_url=part.image_url or known.image_url)
    if kind == "audio":
        if _brings(part, role):
            return replace(part, type="input_audio", format=UNSET)
        text = _transcript(part, known)
        if text is None or not as_text:
            way = "it has no transcript" if text is None else "audio_as_text=True makes it text"
            raise UsageError(f"{name} has audio that cannot be created again: {way}")
    elif kind != "text":
        return part
    return ContentPart(type="output_text" if role == "assistant" else "input_text", text=text)


def _transcript(part: ContentPart, known: ContentPart) -> str | None:
    for text in (part.transcript, known.transcript, known.text):
        if isinstance(text, str):
            return text
    return None


def _brings(part: ContentPart, role: str) -> bool:
    """Whether a part brings its own audio, as only a user's can."""
    return role == "user" and bool(part.audio)


def has_audio(item: Item) -> bool:
    """Whether anything in it is audio."""
    return isinstance(item, MessageItem) and any(map(is_audio, item.content or ()))
