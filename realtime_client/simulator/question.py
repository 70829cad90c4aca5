"""From the context of a response to what the brain is told and what it costs.

The context is the conversation, or the `input` of the response in its place. The last words
in it that are not the model's own are what it answers.

Tokens follow the published arithmetic: user audio is one token for each 100 ms, assistant
audio one for each 50 ms, each rounded up. Text is counted as one token for four characters,
which is the usual estimate and no promise.
"""

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from realtime_client.events import (
    CachedTokensDetails,
    FunctionCallItem,
    FunctionCallOutputItem,
    InputTokenDetails,
    Item,
    McpCallItem,
    MessageItem,
    OutputTokenDetails,
    Tool,
    Usage,
)
from realtime_client.simulator.brain import Question, Source
from realtime_client.simulator.items import Entry, item_text

__all__ = ["USER_TOKEN_MS", "audio_tokens", "make_question", "make_usage", "text_tokens"]

USER_TOKEN_MS = 100
ASSISTANT_TOKEN_MS = 50


def make_question(
    context: Sequence[Entry],
    *,
    instructions: str,
    tools: tuple[Tool, ...],
    metadata: Mapping[str, str] | None,
    out_of_band: bool,
) -> Question:
    """Return what the brain is told."""
    last = next((entry for entry in reversed(context) if _is_asked(entry.item)), None)
    return Question(
        source="none" if last is None else _source(last),
        text=None if last is None else item_text(last),
        duration_ms=last.heard.duration_ms if last is not None and last.heard else 0,
        instructions=instructions,
        items=tuple(_as_heard(entry) for entry in context),
        tools=tools,
        metadata=metadata,
        out_of_band=out_of_band,
    )


def _source(entry: Entry) -> Source:
    if isinstance(entry.item, FunctionCallOutputItem):
        return "tool"
    if entry.heard is not None:
        return "audio"
    parts = entry.item.content if isinstance(entry.item, MessageItem) else ()
    shown = any(part.type == "input_image" for part in parts or ())
    return "image" if shown and item_text(entry) is None else "text"


def _is_asked(item: Item) -> bool:
    if isinstance(item, MessageItem):
        return item.role == "user"
    return isinstance(item, FunctionCallOutputItem)


def _as_heard(entry: Entry) -> Item:
    """Return the item with what was heard as the transcript of its audio."""
    item = entry.item
    if entry.heard is None or not isinstance(item, MessageItem):
        return item
    first = min(entry.clips)
    content = [
        replace(part, transcript=entry.heard.text) if i == first else part
        for i, part in enumerate(item.content or ())
    ]
    return replace(item, content=tuple(content))


def text_tokens(text: str) -> int:
    """About how many tokens a text has."""
    return -(-len(text) // 4)


def audio_tokens(duration_ms: int, token_ms: int = ASSISTANT_TOKEN_MS) -> int:
    """How many tokens audio has: one for each `token_ms`, rounded up."""
    return -(-duration_ms // token_ms)


def make_usage(
    context: Sequence[Entry], instructions: str, *, said_text: int, said_audio: int
) -> Usage:
    """Return the cost of a response: what it was told, and the tokens that it said."""
    text = text_tokens(instructions) + sum(text_tokens(_written(entry)) for entry in context)
    audio = sum(_spoken(entry) for entry in context)
    return Usage(
        total_tokens=text + audio + said_text + said_audio,
        input_tokens=text + audio,
        output_tokens=said_text + said_audio,
        input_token_details=InputTokenDetails(
            text_tokens=text,
            audio_tokens=audio,
            image_tokens=0,
            cached_tokens=0,
            cached_tokens_details=CachedTokensDetails(
                text_tokens=0, audio_tokens=0, image_tokens=0
            ),
        ),
        output_token_details=OutputTokenDetails(text_tokens=said_text, audio_tokens=said_audio),
    )


def _written(entry: Entry) -> str:
    item = entry.item
    if isinstance(item, FunctionCallItem):
        return item.name + (item.arguments or "")
    if isinstance(item, McpCallItem):
        return f"{item.name}{item.arguments}{item.output or ''}"
    if isinstance(item, FunctionCallOutputItem):
        return item.output
    if isinstance(item, MessageItem):
        return "".join(part.text for part in item.content or () if isinstance(part.text, str))
    return ""


def _spoken(entry: Entry) -> int:
    by_user = isinstance(entry.item, MessageItem) and entry.item.role == "user"
    token_ms = USER_TOKEN_MS if by_user else ASSISTANT_TOKEN_MS
    return sum(audio_tokens(clip.duration_ms, token_ms) for clip in entry.clips.values())
