"""Our words against those of the `openai` package: the same names, and JSON that it accepts.

What we declare beyond it is listed here, literally, with the reason. The package itself is a
test dependency; nothing of it is used at run time.
"""

import importlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, get_args

import pytest
from openai.types import realtime as oracle
from pydantic import BaseModel, TypeAdapter, ValidationError

from realtime_client import events
from realtime_client.codec import encode
from realtime_client.events import REALTIME, TRANSLATION, Surface, Tagged, UnknownVariant, Wire
from tests.shapes import CLIENT_SAMPLES, SERVER_SAMPLES, kind, label, structs, variants

UNIONS: dict[tuple[str, str], Any] = {
    ("realtime", "client"): oracle.RealtimeClientEvent,
    ("realtime", "server"): oracle.RealtimeServerEvent,
    ("translation", "client"): oracle.RealtimeTranslationClientEvent,
    ("translation", "server"): oracle.RealtimeTranslationServerEvent,
}


def by_type(union: Any) -> dict[str, type[BaseModel]]:
    models = get_args(get_args(union)[0])
    return {get_args(model.model_fields["type"].annotation)[0]: model for model in models}


# Whole events that the oracle does not have.
BEYOND: dict[str, type[Tagged]] = {
    # xAI's, seen on the wire.
    "conversation.item.input_audio_transcription.updated": (
        events.ConversationItemInputAudioTranscriptionUpdated
    ),
}


def shared(ours: Mapping[str, type[Tagged]]) -> dict[str, type[Tagged]]:
    return {name: cls for name, cls in ours.items() if name not in BEYOND}


SIDES = [
    (shared(getattr(surface, side)), by_type(UNIONS[surface.name, side]))
    for surface in (REALTIME, TRANSLATION)
    for side in ("client", "server")
]

# The structs inside events, and the models of the oracle whose fields they have together.
NESTED: dict[type[Wire], str] = {
    events.AudioConfig: "realtime_audio_config.RealtimeAudioConfig"
    " realtime_session_create_response.Audio"
    " realtime_transcription_session_audio.RealtimeTranscriptionSessionAudio",
    events.AudioFormat: "realtime_audio_formats.AudioPCM realtime_audio_formats.AudioPCMA"
    " realtime_audio_formats.AudioPCMU",
    events.AudioInput: "realtime_audio_config_input.RealtimeAudioConfigInput"
    " realtime_session_create_response.AudioInput"
    " realtime_transcription_session_create_response.AudioInput",
    events.AudioOutput: "realtime_audio_config_output.RealtimeAudioConfigOutput"
    " realtime_session_create_response.AudioOutput",
    events.CachedTokensDetails: "realtime_response_usage_input_token_details.CachedTokensDetails",
    events.ContentPart: "realtime_conversation_item_user_message.Content"
    " realtime_conversation_item_assistant_message.Content"
    " realtime_conversation_item_system_message.Content"
    " response_content_part_added_event.Part response_content_part_done_event.Part",
    events.Conversation: "conversation_created_event.Conversation",
    events.ErrorDetails: "realtime_error.RealtimeError"
    " conversation_item_input_audio_transcription_failed_event.Error",
    events.FunctionCallItem: "realtime_conversation_item_function_call"
    ".RealtimeConversationItemFunctionCall",
    events.FunctionCallOutputItem: "realtime_conversation_item_function_call_output"
    ".RealtimeConversationItemFunctionCallOutput",
    events.FunctionTool: "realtime_function_tool.RealtimeFunctionTool",
    events.InputTokenDetails: "realtime_response_usage_input_token_details"
    ".RealtimeResponseUsageInputTokenDetails",
    events.ItemReference: "response_item_reference.ResponseItemReference",
    events.LogProb: "log_prob_properties.LogProbProperties",
    events.McpApprovalFilter: "realtime_tools_config_union.McpRequireApprovalMcpToolApprovalFilter",
    events.McpApprovalRequestItem: "realtime_mcp_approval_request.RealtimeMcpApprovalRequest",
    events.McpApprovalResponseItem: "realtime_mcp_approval_response.RealtimeMcpApprovalResponse",
    events.McpCallItem: "realtime_mcp_tool_call.RealtimeMcpToolCall",
    events.McpCallError: "realtime_mcp_protocol_error.RealtimeMcpProtocolError"
    " realtime_mcp_tool_execution_error.RealtimeMcpToolExecutionError"
    " realtime_mcphttp_error.RealtimeMcphttpError",
    events.McpListToolsItem: "realtime_mcp_list_tools.RealtimeMcpListTools",
    events.McpTool: "realtime_tools_config_union.Mcp"
    " realtime_response_create_mcp_tool.RealtimeResponseCreateMcpTool"
    " realtime_session_create_response.ToolMcpTool",
    events.McpToolFilter: "realtime_tools_config_union.McpAllowedToolsMcpToolFilter"
    " realtime_tools_config_union.McpRequireApprovalMcpToolApprovalFilterAlways"
    " realtime_tools_config_union.McpRequireApprovalMcpToolApprovalFilterNever",
    events.McpToolInfo: "realtime_mcp_list_tools.Tool",
    events.MessageItem: "realtime_conversation_item_user_message"
    ".RealtimeConversationItemUserMessage"
    " realtime_conversation_item_assistant_message.RealtimeConversationItemAssistantMessage"
    " realtime_conversation_item_system_message.RealtimeConversationItemSystemMessage",
    events.NoiseReduction: "realtime_audio_config_input.NoiseReduction"
    " realtime_translation_session.AudioInputNoiseReduction",
    events.OutputTokenDetails: "realtime_response_usage_output_token_details"
    ".RealtimeResponseUsageOutputTokenDetails",
    events.Prompt: "openai.types.responses.response_prompt.ResponsePrompt",
    events.RateLimit: "rate_limits_updated_event.RateLimit",
    events.Reasoning: "realtime_reasoning.RealtimeReasoning",
    events.ResponseAudio: "realtime_response.Audio"
    " realtime_response_create_audio_output.RealtimeResponseCreateAudioOutput",
    events.ResponseAudioOutput: "realtime_response.AudioOutput"
    " realtime_response_create_audio_output.Output",
    events.ResponseCreateParams: "realtime_response_create_params.RealtimeResponseCreateParams",
    events.ResponseResource: "realtime_response.RealtimeResponse",
    events.RetentionRatio: "realtime_truncation_retention_ratio.RealtimeTruncationRetentionRatio",
    events.SemanticVad: "realtime_audio_input_turn_detection.SemanticVad"
    " realtime_transcription_session_audio_input_turn_detection.SemanticVad",
    events.ServerVad: "realtime_audio_input_turn_detection.ServerVad"
    " realtime_transcription_session_audio_input_turn_detection.ServerVad",
    events.SessionConfig: "realtime_session_create_request.RealtimeSessionCreateRequest"
    " realtime_session_create_response.RealtimeSessionCreateResponse",
    events.StatusDetails: "realtime_response_status.RealtimeResponseStatus",
    events.StatusError: "realtime_response_status.Error",
    events.TokenLimits: "realtime_truncation_retention_ratio.TokenLimits",
    events.ToolChoiceFunction: "openai.types.responses.tool_choice_function.ToolChoiceFunction",
    events.ToolChoiceMcp: "openai.types.responses.tool_choice_mcp.ToolChoiceMcp",
    events.TracingConfig: "realtime_tracing_config.TracingConfiguration",
    events.Transcription: "audio_transcription.AudioTranscription"
    " realtime_translation_session.AudioInputTranscription",
    events.TranscriptionInputTokenDetails: "conversation_item_input_audio_transcription_completed"
    "_event.UsageTranscriptTextUsageTokensInputTokenDetails",
    events.TranscriptionLanguage: "openai.types.audio.transcription_language.TranscriptionLanguage",
    events.TranscriptionSessionConfig: "realtime_transcription_session_create_request"
    ".RealtimeTranscriptionSessionCreateRequest realtime_transcription_session_create_response"
    ".RealtimeTranscriptionSessionCreateResponse",
    events.TranscriptionUsage: "conversation_item_input_audio_transcription_completed_event"
    ".UsageTranscriptTextUsageTokens conversation_item_input_audio_transcription_completed_event"
    ".UsageTranscriptTextUsageDuration",
    events.TranslationAudio: "realtime_translation_session.Audio"
    " realtime_translation_session_update_request.Audio",
    events.TranslationAudioInput: "realtime_translation_session.AudioInput"
    " realtime_translation_session_update_request.AudioInput",
    events.TranslationAudioOutput: "realtime_translation_session.AudioOutput"
    " realtime_translation_session_update_request.AudioOutput",
    events.TranslationSessionConfig: "realtime_translation_session.RealtimeTranslationSession"
    " realtime_translation_session_update_request.RealtimeTranslationSessionUpdateRequest",
    events.Usage: "realtime_response_usage.RealtimeResponseUsage",
    events.VoiceId: "realtime_audio_config_output.VoiceID"
    " realtime_response_create_audio_output.OutputVoiceID",
}

OBFUSCATION = "seen on the wire: padding that hides the length of a delta"
EXTRAS: dict[type[Wire], dict[str, str]] = {
    events.ContentPart: {"format": "the specification's example of a retrieved item"},
    events.ConversationItemInputAudioTranscriptionDelta: {"obfuscation": OBFUSCATION},
    events.InputAudioBufferDtmfEventReceived: {"event_id": "every other event has one"},
    events.InputTokenDetails: {"grok_tokens": "xAI, seen on the wire"},
    events.OutputTokenDetails: {
        "grok_tokens": "xAI, seen on the wire",
        "reasoning_tokens": "Azure, seen on the wire",
    },
    events.ResponseDone: {
        "response_id": "xAI, seen on the wire",
        "usage": "xAI, seen on the wire: beside the response instead of inside",
    },
    events.ResponseFunctionCallArgumentsDelta: {"obfuscation": OBFUSCATION},
    events.ResponseMcpCallCompleted: {"response_id": "every other event of a response has one"},
    events.ResponseMcpCallFailed: {"response_id": "every other event of a response has one"},
    events.ResponseMcpCallInProgress: {"response_id": "every other event of a response has one"},
    events.ResponseOutputAudioTranscriptDelta: {
        "obfuscation": OBFUSCATION,
        "start_time": "xAI, seen on the wire",
    },
    events.ResponseOutputTextDelta: {"obfuscation": OBFUSCATION},
    events.TranslationSessionConfig: {"object": "every other session has one"},
    events.Usage: {
        "billable_audio_seconds": "xAI, seen on the wire",
        "output_audio_seconds": "xAI, seen on the wire",
    },
}


def models(names: str) -> list[type[BaseModel]]:
    found = []
    for name in names.split():
        module, _, model = name.rpartition(".")
        prefix = "" if module.startswith("openai.") else "openai.types.realtime."
        found.append(getattr(importlib.import_module(prefix + module), model))
    return found


def names_of(cls: type[Wire]) -> set[str]:
    tagged = {"type"} if issubclass(cls, Tagged) else set()
    return set(cls.__struct_fields__) | tagged


# --- names ---------------------------------------------------------------------------


@pytest.mark.parametrize(("ours", "theirs"), SIDES)
def test_every_event_is_there(
    ours: Mapping[str, type[Tagged]], theirs: dict[str, type[BaseModel]]
) -> None:
    assert set(ours) == set(theirs)


@pytest.mark.parametrize(
    ("cls", "model"),
    [(cls, theirs[wire_type]) for ours, theirs in SIDES for wire_type, cls in ours.items()],
)
def test_events_have_the_same_fields(cls: type[Tagged], model: type[BaseModel]) -> None:
    assert names_of(cls) == set(model.model_fields) | set(EXTRAS.get(cls, {}))


@pytest.mark.parametrize(("cls", "names"), NESTED.items())
def test_nested_structs_have_the_same_fields(cls: type[Wire], names: str) -> None:
    theirs = {field for model in models(names) for field in model.model_fields}
    assert names_of(cls) == theirs | set(EXTRAS.get(cls, {}))


def test_no_struct_is_forgotten() -> None:
    compared = set(NESTED) | {cls for ours, _ in SIDES for cls in ours.values()}
    compared |= set(BEYOND.values())
    assert compared == set(structs()) - {UnknownVariant}


def test_every_extra_is_one() -> None:
    theirs = {cls: models(names) for cls, names in NESTED.items()}
    theirs |= {cls: [side[name]] for ours, side in SIDES for name, cls in ours.items()}
    for cls, extras in EXTRAS.items():
        known = {field for model in theirs[cls] for field in model.model_fields}
        assert not known & set(extras)


# --- values --------------------------------------------------------------------------


def beyond(wire: dict[str, Any]) -> str | None:
    """Why the oracle refuses an event that we can say; None where it should not."""
    response = wire.get("response", {})
    items = [wire.get("item", {}), *response.get("output", []), *response.get("input", [])]
    if any(item.get("type") == "item_reference" for item in items):
        return "documented for `response.input`, and missing from the union of items"
    if isinstance(wire.get("error"), str):
        return "some servers send an error as a string"
    if isinstance(response.get("status_details"), str):
        return "xAI, seen on the wire"
    if wire["type"] in BEYOND:
        return "not one of the oracle's"
    is_resource = wire["type"] in ("response.created", "response.done")
    if is_resource and isinstance(response.get("audio", {})["output"]["voice"], dict):
        return "a custom voice; the same struct as in the request, where the oracle has it"
    return None


def undeclared(model: Any) -> Iterator[str]:
    """The keys at any depth that the oracle kept without knowing them."""
    if isinstance(model, BaseModel):
        yield from model.model_extra or ()
        for name in model.model_fields_set:
            yield from undeclared(getattr(model, name))
    elif isinstance(model, list):
        for element in model:
            yield from undeclared(element)


ALLOWED = {name for extras in EXTRAS.values() for name in extras}
# One struct of ours may be several models of the oracle, and has the fields of all of them.
MERGED: dict[str, dict[str, str]] = {
    "realtime": {
        "id": "SessionConfig: the server's answer, which the event of the oracle leaves out",
        "expires_at": "as id",
        "output": "AudioConfig: a transcription session has input only",
        "seconds": "TranscriptionUsage: of the type `duration`",
    },
    "translation": {
        "id": "TranslationSessionConfig: the server's answer",
        "expires_at": "as id",
        "model": "as id",
        "type": "as id",
        "delay": "Transcription: a translation session knows the model only",
        "keywords": "as delay",
        "language": "as delay",
        "languages": "as delay",
        "prompt": "as delay",
    },
}


@pytest.mark.parametrize(("surface", "side"), list(UNIONS))
def test_the_oracle_accepts_every_shape(surface: str, side: str) -> None:
    classes = getattr({"realtime": REALTIME, "translation": TRANSLATION}[surface], side)
    adapter: TypeAdapter[Any] = TypeAdapter(UNIONS[surface, side])
    for cls in classes.values():
        for event in variants(cls):
            data = encode(event)
            if beyond(json.loads(data)):
                with pytest.raises(ValidationError):
                    adapter.validate_json(data)
                continue
            model = adapter.validate_json(data)
            assert model.type == event.type
            assert set(undeclared(model)) <= ALLOWED | set(MERGED[surface]), event


@pytest.mark.parametrize(("surface", "frame"), SERVER_SAMPLES + CLIENT_SAMPLES, ids=label)
def test_the_oracle_accepts_the_samples(surface: Surface, frame: bytes) -> None:
    side = "server" if (surface, frame) in SERVER_SAMPLES else "client"
    payload = json.loads(frame)
    payload["type"] = payload["type"].strip()
    if payload["type"] in BEYOND:
        return
    adapter: TypeAdapter[Any] = TypeAdapter(UNIONS[surface.name, side])
    assert adapter.validate_python(payload).type == kind(frame)
