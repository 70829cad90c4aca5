"""What one response is to be: the session's settings, and what `response.create` replaces.

A field of `response.create` that is left out or null is as the session says. `input` is a
context of its own: the conversation is not seen at all, `[]` is nothing, and an
`item_reference` brings in one item of the conversation by its id.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from realtime_client.audio import WireFormat
from realtime_client.events import (
    AudioFormat,
    InvalidEvent,
    Item,
    ItemReference,
    Maybe,
    ResponseAudio,
    ResponseAudioOutput,
    ResponseCreate,
    ResponseCreateParams,
    Tool,
    Voice,
)
from realtime_client.events.base import UNSET
from realtime_client.simulator.conversation import Conversation
from realtime_client.simulator.items import Entry, accept_item
from realtime_client.simulator.refusal import Refusal
from realtime_client.simulator.services import Ids
from realtime_client.simulator.settings import Settings, refuse_voice

__all__ = ["Request", "default_request", "read_request"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Request:
    """One response as asked for. `context` None is the conversation as it is by then.

    `tools` are what it may call; `known_tools` are those and then the session's.
    """

    instructions: str
    modality: str
    format: AudioFormat
    voice: Voice
    max_output_tokens: int | str
    tools: tuple[Tool, ...]
    known_tools: tuple[Tool, ...]
    metadata: Mapping[str, str] | None = None
    out_of_band: bool = False
    context: tuple[Entry, ...] | None = None

    @property
    def audio(self) -> ResponseAudio:
        """The audio side of the response, as its resource shows it."""
        return ResponseAudio(output=ResponseAudioOutput(format=self.format, voice=self.voice))

    @property
    def wire_format(self) -> WireFormat:
        """How the answer's audio is written."""
        return WireFormat.from_wire(self.format)


def default_request(settings: Settings) -> Request:
    """Return what a turn of the user asks for: everything as the session says."""
    return _request(ResponseCreateParams(), settings, None)


def read_request(
    event: ResponseCreate | InvalidEvent,
    payload: Mapping[str, Any],
    settings: Settings,
    conversation: Conversation,
    *,
    ids: Ids,
    spoken: bool,
) -> Request:
    """Return what a `response.create` asks for, or raise `Refusal`.

    `payload` is the event as JSON: unknown fields are gone from the typed one. `spoken`
    freezes the voice, as in a session.
    """
    given = payload.get("response")
    if given is not None:
        settings.response_check(given, "response")
    if isinstance(event, InvalidEvent):
        # Everything has been checked but the items of the input.
        raise Refusal("invalid_value", f"Invalid value: {event.reason}", "response.input")
    params = event.response or ResponseCreateParams()
    request = _request(params, settings, _context(params.input, settings, conversation, ids))
    if spoken and request.voice != settings.output.voice:
        refuse_voice("response.audio.output.voice")
    return request


def _request(
    params: ResponseCreateParams, settings: Settings, context: tuple[Entry, ...] | None
) -> Request:
    session, output = settings.session, settings.output
    asked = (params.audio or ResponseAudio()).output or ResponseAudioOutput()
    modalities = _or(params.output_modalities, session.output_modalities)
    tools = _or(params.tools, session.tools)
    return Request(
        instructions=_or(params.instructions, session.instructions),
        modality=modalities[0],
        format=_or(asked.format, output.format),
        voice=_or(asked.voice, output.voice),
        max_output_tokens=_or(params.max_output_tokens, session.max_output_tokens),
        tools=tools,
        known_tools=(*tools, *(session.tools or ())),
        metadata=params.metadata or None,
        out_of_band=params.conversation == "none",
        context=context,
    )


def _or(value: Any, otherwise: Any) -> Any:
    """Return the value, or the session's where there is none."""
    return otherwise if value is None or value is UNSET else value


def _context(
    given: Maybe[tuple[Item, ...]],
    settings: Settings,
    conversation: Conversation,
    ids: Ids,
) -> tuple[Entry, ...] | None:
    if given is None or given is UNSET:
        return None
    calls = set(conversation.calls)
    context = []
    for i, item in enumerate(given):
        path = f"response.input[{i}]"
        if isinstance(item, ItemReference):
            entry = _referred(item, path, conversation)
        else:
            entry = accept_item(
                item,
                path,
                ids=ids,
                calls=calls,
                approvals=conversation.approvals,
                format_=settings.input_format,
            )
        call_id = getattr(entry.item, "call_id", None)
        if isinstance(call_id, str):
            calls.add(call_id)
        context.append(entry)
    return tuple(context)


def _referred(reference: ItemReference, path: str, conversation: Conversation) -> Entry:
    entry = conversation.find(reference.id)
    if entry is None:
        raise Refusal(
            "invalid_value", f"The item with id '{reference.id}' does not exist.", f"{path}.id"
        )
    return entry
