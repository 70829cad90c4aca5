"""The response: what is asked for, what comes of it, and what it cost.

A failed inference is not an `error` event. It is a `response.done` whose status is `failed`,
so the resource carries its own errors. Servers differ most here: xAI sends `status_details`
as a string and `usage` as an empty object (seen on the wire), which is why both are wide.
"""

from typing import Any

from realtime_client.events.base import UNSET, Maybe, Wire
from realtime_client.events.items import Item
from realtime_client.events.session import AudioFormat, Prompt, Reasoning, Tool, ToolChoice, Voice

__all__ = [
    "CachedTokensDetails",
    "InputTokenDetails",
    "OutputTokenDetails",
    "ResponseAudio",
    "ResponseAudioOutput",
    "ResponseCreateParams",
    "ResponseResource",
    "StatusDetails",
    "StatusError",
    "Usage",
]


class ResponseAudioOutput(Wire, frozen=True, kw_only=True):
    """How this response speaks; what is left out is as the session says."""

    format: Maybe[AudioFormat] = UNSET
    voice: Maybe[Voice] = UNSET


class ResponseAudio(Wire, frozen=True, kw_only=True):
    """The audio side of a response."""

    output: Maybe[ResponseAudioOutput] = UNSET


class ResponseCreateParams(Wire, frozen=True, kw_only=True):
    """What `response.create` asks for; a field left out is as the session says.

    - `conversation`: `auto` (the default), or `none`: outside it, its `conversation_id`
      is null and nothing is remembered.
    - `input`: the context instead of the conversation; `[]` is an empty one.
    - `instructions`: replace the session's for this response.
    - `metadata`: at most 16 pairs, keys 64 and values 512 characters; echoed by the
      server, the one way to recognise one's own response.
    - `max_output_tokens`: 1 to 4,096, or `"inf"`.
    """

    conversation: Maybe[str] = UNSET
    input: Maybe[tuple[Item, ...]] = UNSET
    instructions: Maybe[str] = UNSET
    output_modalities: Maybe[tuple[str, ...]] = UNSET
    audio: Maybe[ResponseAudio] = UNSET
    max_output_tokens: Maybe[int | str] = UNSET
    metadata: Maybe[dict[str, str]] = UNSET
    tools: Maybe[tuple[Tool, ...]] = UNSET
    tool_choice: Maybe[ToolChoice] = UNSET
    parallel_tool_calls: Maybe[bool] = UNSET
    reasoning: Maybe[Reasoning] = UNSET
    prompt: Maybe[Prompt] = UNSET


class StatusError(Wire, frozen=True, kw_only=True):
    """Why a response failed; `code` such as `rate_limit_exceeded`, `insufficient_quota`."""

    type: Maybe[str] = UNSET
    code: Maybe[str] = UNSET
    message: Maybe[str] = UNSET


class StatusDetails(Wire, frozen=True, kw_only=True):
    """Why a response did not complete.

    `type` repeats the status. `reason` is `client_cancelled` or `turn_detected` of a
    cancelled response, `max_output_tokens` or `content_filter` of an incomplete one.
    """

    type: Maybe[str] = UNSET
    reason: Maybe[str] = UNSET
    error: Maybe[StatusError] = UNSET


class CachedTokensDetails(Wire, frozen=True, kw_only=True):
    """Cached input tokens by kind."""

    text_tokens: Maybe[int] = UNSET
    audio_tokens: Maybe[int] = UNSET
    image_tokens: Maybe[int] = UNSET


class InputTokenDetails(Wire, frozen=True, kw_only=True):
    """Input tokens by kind; `cached_tokens` of them were not computed again.

    `grok_tokens` is xAI's (seen on the wire).
    """

    text_tokens: Maybe[int] = UNSET
    audio_tokens: Maybe[int] = UNSET
    image_tokens: Maybe[int] = UNSET
    cached_tokens: Maybe[int] = UNSET
    cached_tokens_details: Maybe[CachedTokensDetails] = UNSET
    grok_tokens: Maybe[int] = UNSET


class OutputTokenDetails(Wire, frozen=True, kw_only=True):
    """Output tokens by kind; `reasoning_tokens` is Azure's, `grok_tokens` xAI's (both seen)."""

    text_tokens: Maybe[int] = UNSET
    audio_tokens: Maybe[int] = UNSET
    reasoning_tokens: Maybe[int] = UNSET
    grok_tokens: Maybe[int] = UNSET


class Usage(Wire, frozen=True, kw_only=True):
    """What a response cost: user audio 1 token per 100 ms, assistant audio 1 per 50 ms.

    Also xAI's (seen on the wire): `output_audio_seconds` and `billable_audio_seconds`.
    """

    total_tokens: Maybe[int] = UNSET
    input_tokens: Maybe[int] = UNSET
    output_tokens: Maybe[int] = UNSET
    input_token_details: Maybe[InputTokenDetails] = UNSET
    output_token_details: Maybe[OutputTokenDetails] = UNSET
    output_audio_seconds: Maybe[float] = UNSET
    billable_audio_seconds: Maybe[float] = UNSET


class ResponseResource(Wire, frozen=True, kw_only=True):
    """A response as the server sees it, at its beginning and at its end.

    `status` is `in_progress`, `completed`, `cancelled`, `incomplete` or `failed`. `output`
    is empty at first and complete in `response.done`. `conversation_id` is null outside
    the conversation. `metadata` is the caller's own; xAI does not echo it. xAI's
    `status_details` is a string (seen on the wire).
    """

    id: Maybe[str] = UNSET
    object: Maybe[str] = UNSET
    status: Maybe[str] = UNSET
    status_details: Maybe[StatusDetails | str] = UNSET
    output: Maybe[tuple[Item, ...]] = UNSET
    conversation_id: Maybe[str] = UNSET
    output_modalities: Maybe[tuple[str, ...]] = UNSET
    max_output_tokens: Maybe[int | str] = UNSET
    audio: Maybe[ResponseAudio] = UNSET
    usage: Maybe[Usage] = UNSET
    metadata: Maybe[dict[str, Any]] = UNSET
