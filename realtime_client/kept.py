"""An item as the mirror keeps it: without audio, with every transcript that is known.

A server repeats an item several times and knows less in some of them: a null transcript only
says that it is not repeated, and content that is left out was there before. What a truncation
has taken does not come back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from realtime_client.events import (
    UNSET,
    ContentPart,
    Item,
    McpListToolsItem,
    MessageItem,
    UnknownVariant,
)

__all__ = ["audio_part", "differs", "id_of", "is_audio", "is_growing", "kept", "transcript_of"]


def id_of(item: Item) -> str | None:
    """The id of an item of any kind, or None where it has none."""
    item_id = item.raw.get("id") if isinstance(item, UnknownVariant) else item.id
    return item_id if isinstance(item_id, str) else None


def transcript_of(item: Item, index: int) -> str | None:
    """The transcript of a part of a message, where there is one."""
    content = item.content if isinstance(item, MessageItem) else None
    if not content or not 0 <= index < len(content):
        return None
    transcript = content[index].transcript
    return transcript if isinstance(transcript, str) else None


def is_growing(item: Item) -> bool:
    """Whether the server is still making it."""
    return getattr(item, "status", None) == "in_progress"


def audio_part(item: Item, index: int) -> ContentPart | None:
    """The part at this index where it is there and is audio."""
    parts = item.content if isinstance(item, MessageItem) else None
    if not parts or not 0 <= index < len(parts):
        return None
    return parts[index] if is_audio(parts[index]) else None


def is_audio(part: ContentPart) -> bool:
    """Whether a part is audio: `input_audio`, `output_audio`, or `audio` of older servers."""
    return isinstance(part.type, str) and part.type.endswith("audio")


def kept(item: Item, cuts: Mapping[int, int], before: Item | None = None) -> Item:
    """An item as it is kept: no audio, the transcripts that are known, none of what was cut."""
    if isinstance(item, UnknownVariant):
        return UnknownVariant(raw=_silent(item.raw))
    if not isinstance(item, MessageItem):
        return item
    known = before.content if isinstance(before, MessageItem) else None
    if not isinstance(item.content, tuple):
        return replace(item, content=known) if known else item
    parts = [
        replace(part, audio=UNSET, transcript=UNSET if index in cuts else part.transcript)
        for index, part in enumerate(item.content)
    ]
    for index, (part, old) in enumerate(zip(parts, known or (), strict=False)):
        forgot = is_audio(part) and not isinstance(part.transcript, str) and index not in cuts
        if forgot and isinstance(old.transcript, str):
            parts[index] = replace(part, transcript=old.transcript)
    return replace(item, content=tuple(parts))


def differs(item: Item, before: Item) -> bool:
    """Whether an item says something new. Of what may be nested without end, it always does."""
    if isinstance(item, UnknownVariant | McpListToolsItem):
        return True
    return item != before


def _silent(raw: dict[str, Any]) -> dict[str, Any]:
    """A message that did not fit its struct, without the audio of its parts."""
    parts = raw.get("content")
    if not isinstance(parts, list):
        return raw
    return {**raw, "content": [_without_audio(part) for part in parts]}


def _without_audio(part: Any) -> Any:
    return {**part, "audio": None} if isinstance(part, dict) and "audio" in part else part
