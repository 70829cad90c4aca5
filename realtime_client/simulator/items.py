"""Items as the server takes them in, and what they say.

The wire shows an item without its audio: a user's `input_audio` part comes back with a
`transcript` that is null until somebody writes it down, and only a `retrieve` brings the
samples. So an entry of the conversation is the item as shown, and its audio beside it. What
was *heard* in that audio is known from the start and is no business of transcription, which
is asynchronous, optional and only for the client's eyes.
"""

from collections.abc import Container
from dataclasses import dataclass, field

import numpy as np
import pybase64
from msgspec.structs import replace
from numpy.typing import NDArray

from realtime_client.audio import WireFormat
from realtime_client.events import (
    UNSET,
    ContentPart,
    FunctionCallItem,
    FunctionCallOutputItem,
    Item,
    McpApprovalResponseItem,
    MessageItem,
)
from realtime_client.simulator.checks import missing
from realtime_client.simulator.clip import Clip
from realtime_client.simulator.reader import Heard, listen
from realtime_client.simulator.refusal import Refusal
from realtime_client.simulator.services import Ids

__all__ = ["Entry", "accept_item", "hear", "item_id_of", "item_text", "told_by", "transcript_of"]

LONGEST_TEXT = 256_000

# What each role may send. The first is what the server's error names.
_PARTS = {
    "user": ("input_text", "input_audio", "input_image"),
    "system": ("input_text",),
    "assistant": ("output_text",),
}


@dataclass(frozen=True, eq=False)
class Entry:
    """One item with its audio by content index; `heard` is what a user's audio says."""

    item: Item
    clips: dict[int, Clip] = field(default_factory=dict)
    heard: Heard | None = None

    @property
    def id(self) -> str:
        """The item's id; every accepted item has one."""
        return item_id_of(self.item)


def item_id_of(item: Item) -> str:
    """Return the id of an item that the server has accepted."""
    item_id = getattr(item, "id", None)
    assert isinstance(item_id, str)
    return item_id


def transcript_of(heard: Heard) -> str:
    """Return what a transcription writes: the words, or how long unreadable speech was."""
    if heard.text is not None:
        return heard.text
    return f"[speech, {heard.duration_ms / 1000:.1f} s]"


def item_text(entry: Entry) -> str | None:
    """Return what an item says. None where all it has is speech that cannot be read."""
    item = entry.item
    if isinstance(item, FunctionCallOutputItem):
        return item.output
    if not isinstance(item, MessageItem):
        return None
    parts = [part.text for part in item.content or () if isinstance(part.text, str)]
    if entry.heard is not None and entry.heard.text is not None:
        parts.append(entry.heard.text)
    return " ".join(parts) if parts else None


def told_by(entry: Entry) -> tuple[str, str | None]:
    """Return who says what with this item: its role, or its type where it is no message.

    Words in audio are those that can be read in it, as far as it was not cut off. None is
    audio in which there are none.
    """
    item = entry.item
    if isinstance(item, FunctionCallItem):
        return item.type, f"{item.name}({item.arguments})"
    if not isinstance(item, MessageItem) or item.role != "assistant":
        return getattr(item, "role", item.type), item_text(entry)
    words = []
    for i, part in enumerate(item.content or ()):
        if i in entry.clips and not isinstance(part.transcript, str):
            words.append(listen(entry.clips[i].samples, entry.clips[i].format.rate).text)
        else:
            words.append(part.transcript if isinstance(part.transcript, str) else part.text or "")
    said = [one for one in words if one is not None]
    return item.role, " ".join(said) if said else None


def accept_item(
    item: Item,
    path: str,
    *,
    ids: Ids,
    calls: Container[str],
    approvals: Container[str],
    format_: WireFormat,
) -> Entry:
    """Return the entry that a client's item becomes, or raise `Refusal`.

    `path` is where the item stands in the client's event. `calls` and `approvals`
    are the ids of the calls and of the requests for approval that may be answered. Audio in it
    is read as `format_`.
    """
    kept = getattr(item, "id", UNSET)
    item_id = kept if isinstance(kept, str) else ids("item")
    if isinstance(item, MessageItem):
        return _accept_message(item, item_id, path, format_)
    if isinstance(item, FunctionCallItem):
        call_id = item.call_id if isinstance(item.call_id, str) else ids("call")
        return Entry(replace(item, id=item_id, call_id=call_id, object=UNSET, status="completed"))
    if isinstance(item, FunctionCallOutputItem):
        if item.call_id not in calls:
            raise Refusal(
                "invalid_tool_call_id",
                f"Tool call ID '{item.call_id}' not found in conversation.",
                f"{path}.call_id",
            )
        # "echoes without `status`"
        return Entry(replace(item, id=item_id, object=UNSET, status=UNSET))
    if isinstance(item, McpApprovalResponseItem):
        if item.approval_request_id not in approvals:
            raise Refusal(
                "invalid_value",
                f"Approval request ID '{item.approval_request_id}' not found in conversation.",
                f"{path}.approval_request_id",
            )
        return Entry(replace(item, id=item_id))
    raise Refusal(
        "invalid_value",
        f"Invalid value: '{item.type}'. Supported values are: 'message', 'function_call', "
        "'function_call_output', 'mcp_approval_response'.",
        f"{path}.type",
    )


def _accept_message(message: MessageItem, item_id: str, path: str, format_: WireFormat) -> Entry:
    allowed = _PARTS.get(message.role)
    if allowed is None:
        known = ", ".join(f"'{role}'" for role in _PARTS)
        raise Refusal(
            "invalid_value",
            f"Invalid value: '{message.role}'. Supported values are: {known}.",
            f"{path}.role",
        )
    if not isinstance(message.content, tuple):
        raise missing(f"{path}.content")
    clips: dict[int, Clip] = {}
    shown = []
    for i, part in enumerate(message.content):
        here = f"{path}.content[{i}]"
        _check_part(part, allowed, here)
        if part.type == "input_audio":
            clips[i] = Clip(_samples(part, here, format_), format_)
        shown.append(_shown(part))
    item = replace(message, id=item_id, object=UNSET, status="completed", content=tuple(shown))
    return Entry(item, clips, hear(clips))


def _shown(part: ContentPart) -> ContentPart:
    """Return a part as the server echoes it: without its audio."""
    if part.type == "input_audio":
        return ContentPart(type="input_audio", transcript=None)
    return part


def hear(clips: dict[int, Clip]) -> Heard | None:
    """Listen to all clips of a message, one after the other; None where there are none."""
    heard = [listen(clip.samples, clip.format.rate) for clip in clips.values()]
    if not heard:
        return None
    texts = [one.text for one in heard if one.text is not None]
    return Heard(
        utterances=tuple(utterance for one in heard for utterance in one.utterances),
        text=" ".join(texts) if texts else None,
        duration_ms=sum(one.duration_ms for one in heard),
    )


def _check_part(part: ContentPart, allowed: tuple[str, ...], path: str) -> None:
    if part.type not in allowed:
        given = "" if part.type is UNSET else f"Invalid value: '{part.type}'. "
        raise Refusal("invalid_value", f"{given}Value must be '{allowed[0]}'.", f"{path}.type")
    needed = {"input_audio": "audio", "input_image": "image_url"}.get(str(part.type), "text")
    value = getattr(part, needed)
    if not isinstance(value, str):
        raise missing(f"{path}.{needed}")
    if needed == "text" and len(value) > LONGEST_TEXT:
        raise Refusal(
            "string_above_max_length",
            f"Invalid '{path}.text': string too long. Expected at most {LONGEST_TEXT} "
            f"characters, but got {len(value)}.",
            f"{path}.text",
        )


def _samples(part: ContentPart, path: str, format_: WireFormat) -> NDArray[np.int16]:
    try:
        data = pybase64.b64decode(str(part.audio), validate=True)
    except ValueError:
        data = b""
    if not data or len(data) % format_.bytes_per_sample:
        raise Refusal(
            "invalid_value", "Invalid value: expected base64-encoded audio.", f"{path}.audio"
        )
    return format_.decode(data)
