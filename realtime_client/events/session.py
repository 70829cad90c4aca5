"""The session object: one shape for what a client asks and for what the server answers.

The server answers every `session.update` with the whole effective session, so the same
struct serves both ways, and comparing the two needs no translation. Only the fields that are
present are updated; `audio` merges level by level, lists are replaced whole, and a leaf
object (`turn_detection`, `transcription`) is better sent whole, because some servers refill
what is missing with defaults (seen on the wire).

Null is a value: it turns off `turn_detection`, `transcription`, `noise_reduction` and
`tracing`. UNSET leaves the field as it is.
"""

from typing import Any, TypeAlias

import msgspec

from realtime_client.events.base import UNSET, Maybe, Tagged, UnknownVariant, Wire
from realtime_client.redaction import redacted

__all__ = [
    "AudioConfig",
    "AudioFormat",
    "AudioInput",
    "AudioOutput",
    "FunctionTool",
    "McpApprovalFilter",
    "McpTool",
    "McpToolFilter",
    "NoiseReduction",
    "Prompt",
    "Reasoning",
    "RetentionRatio",
    "SemanticVad",
    "ServerVad",
    "Session",
    "SessionConfig",
    "TokenLimits",
    "Tool",
    "ToolChoice",
    "ToolChoiceFunction",
    "ToolChoiceMcp",
    "TracingConfig",
    "Transcription",
    "TranscriptionSessionConfig",
    "TranslationAudio",
    "TranslationAudioInput",
    "TranslationAudioOutput",
    "TranslationSessionConfig",
    "Truncation",
    "TurnDetection",
    "Voice",
    "VoiceId",
]


class AudioFormat(Wire, frozen=True, kw_only=True):
    """How audio is written on the wire; mono, little-endian.

    `type` is `audio/pcm` (16-bit), `audio/pcmu` or `audio/pcma` (G.711, always 8,000 Hz).
    `rate` is in hertz and belongs to `audio/pcm`: OpenAI knows 24,000 only, others more.
    """

    type: str
    rate: Maybe[int] = UNSET


class NoiseReduction(Wire, frozen=True, kw_only=True):
    """Filters the input before turn detection and the model hear it.

    `type` is `near_field` (a headset) or `far_field` (a laptop, a room). `strength` left
    out keeps its current value (specification).
    """

    type: Maybe[str] = UNSET
    strength: Maybe[float] = UNSET


class Transcription(Wire, frozen=True, kw_only=True):
    """Transcribes what the user says, beside the model and not on its behalf.

    `model` names the transcription model; on Azure it is a deployment name. `language` is
    an ISO-639-1 code, `languages` several of them for the models that take a list, `prompt`
    free text or keywords by model, `keywords` words to expect, `delay` one of `minimal`,
    `low`, `medium`, `high`, `xhigh` (a streaming model's patience). The server echoes null
    for what it was not told (seen on the wire).
    """

    model: Maybe[str] = UNSET
    language: Maybe[str] = UNSET
    languages: Maybe[tuple[str, ...]] = UNSET
    prompt: Maybe[str] = UNSET
    delay: Maybe[str] = UNSET
    keywords: Maybe[tuple[str, ...]] = UNSET


class ServerVad(Tagged, frozen=True, kw_only=True, tag="server_vad"):
    """Turns end after silence.

    - `threshold`: 0 to 1, how loud speech must be; 0.5 by default.
    - `prefix_padding_ms`: how much audio before the speech belongs to it; 300 by default.
    - `silence_duration_ms`: the silence that ends a turn; the server's default is 200 (seen
      on the wire; the specification says 500).
    - `idle_timeout_ms`: null, or 5,000 to 30,000: speak by itself after so much silence.
    - `create_response`: answer at the end of a turn; `interrupt_response`: cancel a running
      response when speech starts. A transcription session has neither.
    """

    threshold: Maybe[float] = UNSET
    prefix_padding_ms: Maybe[int] = UNSET
    silence_duration_ms: Maybe[int] = UNSET
    idle_timeout_ms: Maybe[int] = UNSET
    create_response: Maybe[bool] = UNSET
    interrupt_response: Maybe[bool] = UNSET


class SemanticVad(Tagged, frozen=True, kw_only=True, tag="semantic_vad"):
    """Turns end when the user seems to have finished a thought.

    `eagerness` is `low`, `medium`, `high` or `auto`, which equals `medium`. The other two
    fields are those of `ServerVad`.
    """

    eagerness: Maybe[str] = UNSET
    create_response: Maybe[bool] = UNSET
    interrupt_response: Maybe[bool] = UNSET


TurnDetection: TypeAlias = ServerVad | SemanticVad | UnknownVariant
"""Who decides that a turn has ended; null in its place means the client does."""


class VoiceId(Wire, frozen=True, kw_only=True):
    """A custom voice, by its `id`; a built-in one is a plain string."""

    id: str


Voice: TypeAlias = str | VoiceId
"""The name of a built-in voice (`marin`, `cedar`, ...), or a custom one."""


class AudioInput(Wire, frozen=True, kw_only=True):
    """What the server does with the audio it is sent; null turns a stage off."""

    format: Maybe[AudioFormat] = UNSET
    noise_reduction: Maybe[NoiseReduction] = UNSET
    transcription: Maybe[Transcription] = UNSET
    turn_detection: Maybe[TurnDetection] = UNSET


class AudioOutput(Wire, frozen=True, kw_only=True):
    """How the server speaks.

    `voice` is frozen once the model has spoken. `speed` is 0.25 to 1.5, 1.0 by default, and
    changes only between turns.
    """

    format: Maybe[AudioFormat] = UNSET
    voice: Maybe[Voice] = UNSET
    speed: Maybe[float] = UNSET


class AudioConfig(Wire, frozen=True, kw_only=True):
    """Audio both ways; a transcription session has `input` only."""

    input: Maybe[AudioInput] = UNSET
    output: Maybe[AudioOutput] = UNSET


class FunctionTool(Tagged, frozen=True, kw_only=True, tag="function"):
    """A function that the model may call; `parameters` is a JSON schema of its arguments."""

    name: Maybe[str] = UNSET
    description: Maybe[str] = UNSET
    parameters: Maybe[Any] = UNSET


class McpToolFilter(Wire, frozen=True, kw_only=True):
    """Some tools of an MCP server: by name, or those it marks as only reading."""

    tool_names: Maybe[tuple[str, ...]] = UNSET
    read_only: Maybe[bool] = UNSET


class McpApprovalFilter(Wire, frozen=True, kw_only=True):
    """Which tools of an MCP server ask for approval, and which do not."""

    always: Maybe[McpToolFilter] = UNSET
    never: Maybe[McpToolFilter] = UNSET


class McpTool(Tagged, frozen=True, kw_only=True, tag="mcp"):
    """The tools of a remote MCP server, called by the model's server itself.

    One of `server_url`, `connector_id` and `tunnel_id` says where it is. `require_approval`
    is `always`, `never` or a filter. `authorization` and `headers` carry credentials; the
    server does not echo them (specification), and the repr has `***` for them.
    """

    server_label: str
    server_url: Maybe[str] = UNSET
    connector_id: Maybe[str] = UNSET
    tunnel_id: Maybe[str] = UNSET
    server_description: Maybe[str] = UNSET
    authorization: Maybe[str] = UNSET
    headers: Maybe[dict[str, str]] = UNSET
    allowed_tools: Maybe[tuple[str, ...] | McpToolFilter] = UNSET
    allowed_callers: Maybe[tuple[str, ...]] = UNSET
    require_approval: Maybe[str | McpApprovalFilter] = UNSET
    defer_loading: Maybe[bool] = UNSET

    def __repr__(self) -> str:
        return super(McpTool, self._redacted()).__repr__()

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return super(McpTool, self._redacted()).__rich_repr__()

    def _redacted(self) -> "McpTool":
        shown = redacted({name: getattr(self, name) for name in self.__struct_fields__})
        return msgspec.structs.replace(self, **shown)


Tool: TypeAlias = FunctionTool | McpTool | UnknownVariant
"""Something that the model may call."""


class ToolChoiceFunction(Tagged, frozen=True, kw_only=True, tag="function"):
    """The model must call this function."""

    name: str


class ToolChoiceMcp(Tagged, frozen=True, kw_only=True, tag="mcp"):
    """The model must call a tool of this MCP server: `name`, or any of them."""

    server_label: str
    name: Maybe[str] = UNSET


ToolChoice: TypeAlias = str | ToolChoiceFunction | ToolChoiceMcp | UnknownVariant
"""`auto`, `none`, `required`, or one tool."""


class TracingConfig(Wire, frozen=True, kw_only=True):
    """Names for the traces of a session; once tracing is on, it cannot be changed."""

    group_id: Maybe[str] = UNSET
    metadata: Maybe[Any] = UNSET
    workflow_name: Maybe[str] = UNSET


class TokenLimits(Wire, frozen=True, kw_only=True):
    """`post_instructions`: how many tokens of conversation may follow the instructions."""

    post_instructions: Maybe[int] = UNSET


class RetentionRatio(Tagged, frozen=True, kw_only=True, tag="retention_ratio"):
    """When the context is full, keep this share of it: `retention_ratio` is 0 to 1."""

    retention_ratio: float
    token_limits: Maybe[TokenLimits] = UNSET


Truncation: TypeAlias = str | RetentionRatio | UnknownVariant
"""`auto`, `disabled`, or a ratio."""


class Prompt(Wire, frozen=True, kw_only=True):
    """A stored prompt by `id`; `variables` are put into it (strings, or input parts)."""

    id: str
    version: Maybe[str] = UNSET
    variables: Maybe[dict[str, Any]] = UNSET


class Reasoning(Wire, frozen=True, kw_only=True):
    """`effort` is `minimal`, `low`, `medium`, `high` or `xhigh`; reasoning models only."""

    effort: Maybe[str] = UNSET


class SessionConfig(Tagged, frozen=True, kw_only=True, tag="realtime"):
    """A conversation with a model.

    - `id`, `object`, `expires_at` (seconds since 1970): the server's, never sent.
    - `model`: fixed when the connection is opened.
    - `output_modalities`: `["audio"]` or `["text"]`, never both.
    - `max_output_tokens`: 1 to 4,096, or `"inf"`.
    - `include`: `item.input_audio_transcription.logprobs`.
    - `parallel_tool_calls`, `reasoning`: reasoning models only; others reject them.
    - `tools`: replaced whole, `[]` clears; `instructions`: `""` clears.
    """

    id: Maybe[str] = UNSET
    object: Maybe[str] = UNSET
    expires_at: Maybe[int] = UNSET
    model: Maybe[str] = UNSET
    output_modalities: Maybe[tuple[str, ...]] = UNSET
    instructions: Maybe[str] = UNSET
    audio: Maybe[AudioConfig] = UNSET
    tools: Maybe[tuple[Tool, ...]] = UNSET
    tool_choice: Maybe[ToolChoice] = UNSET
    parallel_tool_calls: Maybe[bool] = UNSET
    reasoning: Maybe[Reasoning] = UNSET
    max_output_tokens: Maybe[int | str] = UNSET
    truncation: Maybe[Truncation] = UNSET
    prompt: Maybe[Prompt] = UNSET
    tracing: Maybe[str | TracingConfig] = UNSET
    include: Maybe[tuple[str, ...]] = UNSET


class TranscriptionSessionConfig(Tagged, frozen=True, kw_only=True, tag="transcription"):
    """A session that only writes down what it hears: no model, no output, no responses."""

    id: Maybe[str] = UNSET
    object: Maybe[str] = UNSET
    expires_at: Maybe[int] = UNSET
    audio: Maybe[AudioConfig] = UNSET
    include: Maybe[tuple[str, ...]] = UNSET


Session: TypeAlias = SessionConfig | TranscriptionSessionConfig | UnknownVariant
"""The session of a realtime connection; one without `type` is read as a conversation."""


class TranslationAudioInput(Wire, frozen=True, kw_only=True):
    """What a translation session does with the audio it hears."""

    transcription: Maybe[Transcription] = UNSET
    noise_reduction: Maybe[NoiseReduction] = UNSET


class TranslationAudioOutput(Wire, frozen=True, kw_only=True):
    """`language` is the code of the language to speak, such as `es`."""

    language: Maybe[str] = UNSET


class TranslationAudio(Wire, frozen=True, kw_only=True):
    """Audio of a translation session."""

    input: Maybe[TranslationAudioInput] = UNSET
    output: Maybe[TranslationAudioOutput] = UNSET


class TranslationSessionConfig(Wire, frozen=True, kw_only=True):
    """A session that speaks what it hears in another language, without turns.

    An update carries `audio` alone; the server's answer names `id`, `type`
    (`translation`), `model` and `expires_at` (seconds since 1970) as well.
    """

    id: Maybe[str] = UNSET
    object: Maybe[str] = UNSET
    type: Maybe[str] = UNSET
    expires_at: Maybe[int] = UNSET
    model: Maybe[str] = UNSET
    audio: Maybe[TranslationAudio] = UNSET
