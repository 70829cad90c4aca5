"""What a `session.update` and a `response.create` may contain, as two literal trees.

Ranges and names are the specification's; where the wire is stricter, the wire's. Two fields
depend on the server and not on the protocol: the sample rates of `audio/pcm`, and whether
the model reasons (`reasoning` and `parallel_tool_calls` exist for reasoning models alone).
"""

from typing import Any

from realtime_client.simulator.checks import (
    Check,
    anything,
    array,
    flag,
    integer,
    mapping,
    nullable,
    number,
    one_of,
    record,
    shape,
    string,
    variant,
)
from realtime_client.simulator.refusal import Refusal

__all__ = ["REASONS", "response_schema", "session_schema"]

_TYPE = {"type": anything}  # has been looked at by `variant`

VOICE = shape(string=string(), object=record({"id": string()}, required=("id",)))

MAX_OUTPUT_TOKENS = shape(string=one_of("inf"), integer=integer(1, 4096))

_TOOL_FILTER = record({"tool_names": array(string()), "read_only": flag})

TOOLS = array(
    variant(
        function=record(
            _TYPE | {"name": string(), "description": string(), "parameters": anything},
            required=("name",),
        ),
        mcp=record(
            _TYPE
            | {
                "server_label": string(),
                "server_url": string(),
                "connector_id": string(),
                "tunnel_id": string(),
                "server_description": string(),
                "authorization": string(),
                "headers": mapping(string()),
                "allowed_tools": shape(array=array(string()), object=_TOOL_FILTER),
                "allowed_callers": array(string()),
                "require_approval": shape(
                    string=one_of("always", "never"),
                    object=record({"always": _TOOL_FILTER, "never": _TOOL_FILTER}),
                ),
                "defer_loading": flag,
            },
            required=("server_label",),
        ),
    )
)

TOOL_CHOICE = nullable(
    shape(
        string=one_of("none", "auto", "required"),
        object=variant(
            function=record(_TYPE | {"name": string()}, required=("name",)),
            mcp=record(
                _TYPE | {"server_label": string(), "name": nullable(string())},
                required=("server_label",),
            ),
        ),
    )
)

TURN_DETECTION = nullable(
    variant(
        server_vad=record(
            _TYPE
            | {
                "threshold": number(0.0, 1.0),
                "prefix_padding_ms": integer(0),
                "silence_duration_ms": integer(0),
                "idle_timeout_ms": nullable(integer(5_000, 30_000)),
                "create_response": flag,
                "interrupt_response": flag,
            }
        ),
        semantic_vad=record(
            _TYPE
            | {
                "eagerness": one_of("low", "medium", "high", "auto"),
                "create_response": flag,
                "interrupt_response": flag,
            }
        ),
    )
)

TRANSCRIPTION = nullable(
    record(
        {
            "model": string(),
            "language": nullable(string()),
            "languages": nullable(array(string())),
            "prompt": nullable(string()),
            "delay": nullable(one_of("minimal", "low", "medium", "high", "xhigh")),
            "keywords": nullable(array(string())),
        }
    )
)

NOISE_REDUCTION = nullable(
    record({"type": one_of("near_field", "far_field"), "strength": number(0.0, 1.0)})
)

TRUNCATION = shape(
    string=one_of("auto", "disabled"),
    object=variant(
        retention_ratio=record(
            _TYPE
            | {
                "retention_ratio": number(0.0, 1.0),
                "token_limits": record({"post_instructions": integer(0)}),
            },
            required=("retention_ratio",),
        )
    ),
)

TRACING = nullable(
    shape(
        string=one_of("auto"),
        object=record({"workflow_name": string(), "group_id": string(), "metadata": anything}),
    )
)

PROMPT = nullable(
    record(
        {"id": string(), "version": nullable(string()), "variables": nullable(mapping(anything))},
        required=("id",),
    )
)

REASONS: dict[str, Check] = {
    "reasoning": record({"effort": one_of("minimal", "low", "medium", "high", "xhigh")}),
    "parallel_tool_calls": flag,
}
"""Fields that only a reasoning model has."""


def modalities(value: Any, path: str) -> list[str]:
    """Accept `["text"]` and `["audio"]`: together they are one of the beta's shapes."""
    names: list[str] = array(one_of("text", "audio"))(value, path)
    if names not in (["text"], ["audio"]):
        raise Refusal(
            "invalid_value",
            f"Invalid modalities: {names}. Supported combinations are: ['text'] and ['audio'].",
            path,
        )
    return names


def audio_format(pcm_rates: tuple[int, ...]) -> Check:
    """Accept G.711, and PCM at these rates; PCM without a rate gets the first of them."""
    pcm = record(_TYPE | {"rate": anything})
    formats = variant(
        **{"audio/pcm": pcm, "audio/pcmu": record(_TYPE), "audio/pcma": record(_TYPE)}
    )

    def check(value: Any, path: str) -> dict[str, Any]:
        kept: dict[str, Any] = formats(value, path)
        if kept["type"] != "audio/pcm":
            return kept
        rate = kept.setdefault("rate", pcm_rates[0])
        if rate not in pcm_rates:
            known = ", ".join(str(known) for known in pcm_rates)
            raise Refusal(
                "invalid_value",
                f"Invalid value: {rate}. Supported values are: {known}.",
                f"{path}.rate",
            )
        return kept

    return check


def session_schema(*, pcm_rates: tuple[int, ...], reasoning: bool) -> Check:
    """Return the check of the `session` of a `session.update`."""
    format_ = audio_format(pcm_rates)
    return record(
        {
            "type": one_of("realtime"),
            "model": string(),
            "output_modalities": modalities,
            "instructions": string(),
            "tools": TOOLS,
            "tool_choice": TOOL_CHOICE,
            "max_output_tokens": MAX_OUTPUT_TOKENS,
            "tracing": TRACING,
            "truncation": TRUNCATION,
            "prompt": PROMPT,
            "include": nullable(array(one_of("item.input_audio_transcription.logprobs"))),
            "audio": record(
                {
                    "input": record(
                        {
                            "format": format_,
                            "transcription": TRANSCRIPTION,
                            "noise_reduction": NOISE_REDUCTION,
                            "turn_detection": TURN_DETECTION,
                        }
                    ),
                    "output": record(
                        {"format": format_, "voice": VOICE, "speed": number(0.25, 1.5)}
                    ),
                }
            ),
        }
        | (REASONS if reasoning else {}),
        required=("type",),
    )


def response_schema(*, pcm_rates: tuple[int, ...], reasoning: bool, out_of_band: bool) -> Check:
    """Return the check of the `response` of a `response.create`.

    `out_of_band`: whether there are responses outside the conversation.
    """
    conversations = ("auto", "none") if out_of_band else ("auto",)
    output = record({"format": audio_format(pcm_rates), "voice": VOICE})
    return record(
        {
            "conversation": nullable(one_of(*conversations)),
            "input": nullable(array(anything)),
            "instructions": nullable(string()),
            "output_modalities": nullable(modalities),
            "audio": nullable(record({"output": nullable(output)})),
            "max_output_tokens": nullable(MAX_OUTPUT_TOKENS),
            "metadata": nullable(mapping(string(512), pairs=16, key_length=64)),
            "tools": nullable(TOOLS),
            "tool_choice": TOOL_CHOICE,
            "prompt": PROMPT,
        }
        | (REASONS if reasoning else {})
    )
