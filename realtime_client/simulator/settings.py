"""The session's configuration, as the server keeps it.

One JSON tree is the truth, because merging and unknown fields are questions about JSON. An
update is checked whole, merged into a new tree and only then put in place, so "an invalid
update is discarded whole" holds by construction. What the rest of the server reads is the
same tree as a typed `SessionConfig`.

Objects that only group fields (`audio`, `audio.input`, `audio.output`) merge. Lists and
scalars are replaced. A leaf object that means something as a whole (`turn_detection`,
`transcription`) is filled up where it comes in part: from the current value, or from the
defaults (`SimulatorPolicy.refill_defaults`). An object of another type than the current one
has nothing to inherit and starts from the defaults.

A server may also acknowledge an update and not take all of it: fields that it ignores
(`SimulatorPolicy.ignored_fields`), a speed that it brings down (`SimulatorPolicy.fastest`).
"""

from typing import Any

import msgspec

from realtime_client.audio import WireFormat
from realtime_client.events import AudioInput, AudioOutput, SessionConfig
from realtime_client.simulator.checks import Check, missing
from realtime_client.simulator.policy import SimulatorPolicy
from realtime_client.simulator.refusal import Refusal
from realtime_client.simulator.schema import response_schema, session_schema

__all__ = ["INSTRUCTIONS", "Settings", "refuse_voice"]

Tree = dict[str, Any]

INSTRUCTIONS = (
    "You are the voice of a simulated server. Say back what you hear, in clear tones and in "
    "few words."
)
"""The server's own instructions, which a session has until it gets others."""

_SERVER_VAD: Tree = {
    "type": "server_vad",
    "threshold": 0.5,
    "prefix_padding_ms": 300,
    "silence_duration_ms": 200,
    "idle_timeout_ms": None,
    "create_response": True,
    "interrupt_response": True,
}
_SEMANTIC_VAD: Tree = {
    "type": "semantic_vad",
    "eagerness": "auto",
    "create_response": True,
    "interrupt_response": True,
}
_TURN_DETECTION = {"server_vad": _SERVER_VAD, "semantic_vad": _SEMANTIC_VAD}
_TRANSCRIPTION: Tree = {"model": None, "language": None, "prompt": None}

_GROUPS = {"audio", "input", "output"}
_SPEED = ("audio", "output", "speed")
_PCM_24K: Tree = {"type": "audio/pcm", "rate": 24_000}


def _default_tree(model: str, session_id: str, expires_at: int) -> Tree:
    """Return the session of a new connection; the shape is OpenAI's first frame."""
    return {
        "type": "realtime",
        "object": "realtime.session",
        "id": session_id,
        "model": model,
        "output_modalities": ["audio"],
        "instructions": INSTRUCTIONS,
        "tools": [],
        "tool_choice": "auto",
        "max_output_tokens": "inf",
        "tracing": None,
        "truncation": "auto",
        "prompt": None,
        "expires_at": expires_at,
        "audio": {
            "input": {
                "format": _PCM_24K,
                "transcription": None,
                "noise_reduction": None,
                "turn_detection": _SERVER_VAD,
            },
            "output": {"format": _PCM_24K, "voice": "alloy", "speed": 1.0},
        },
        "include": None,
    }


class Settings:
    """What is in force for one session. `session` is the whole of it, typed and frozen."""

    def __init__(
        self, policy: SimulatorPolicy, *, model: str, session_id: str, expires_at: int
    ) -> None:
        self._policy = policy
        self._tree = _default_tree(model, session_id, expires_at)
        self._session = msgspec.convert(self._tree, SessionConfig)
        rates, reasoning = policy.pcm_rates, _reasons(model)
        self._check = session_schema(pcm_rates=rates, reasoning=reasoning)
        self.response_check: Check = response_schema(
            pcm_rates=rates, reasoning=reasoning, out_of_band=policy.out_of_band
        )

    @property
    def session(self) -> SessionConfig:
        """The effective session, as `session.created` and `session.updated` show it."""
        return self._session

    @property
    def input(self) -> AudioInput:
        """`session.audio.input`, with every field present."""
        return msgspec.convert(self._tree["audio"]["input"], AudioInput)

    @property
    def output(self) -> AudioOutput:
        """`session.audio.output`, with every field present."""
        return msgspec.convert(self._tree["audio"]["output"], AudioOutput)

    @property
    def input_format(self) -> WireFormat:
        """How the client's audio is written."""
        return WireFormat.from_wire(self.input.format)

    def update(self, update: Any, *, spoken: bool, speaking: bool) -> None:
        """Apply the `session` of a `session.update`, or raise `Refusal` and change nothing.

        `spoken`: the conversation has assistant audio, which freezes the voice. `speaking`:
        a response is in progress, during which the speed is fixed.
        """
        given = self._check(update, "session")
        self._refuse_what_is_fixed(given, spoken=spoken, speaking=speaking)
        tree = self._merge(self._tree, self._taken(given))
        session = msgspec.convert(tree, SessionConfig)
        self._tree, self._session = tree, session

    def _refuse_what_is_fixed(self, given: Tree, *, spoken: bool, speaking: bool) -> None:
        current = self._tree
        if given.get("model", current["model"]) != current["model"]:
            raise Refusal(
                "invalid_value", "The model of a session cannot be changed.", "session.model"
            )
        tracing = current["tracing"]
        if tracing is not None and given.get("tracing", tracing) != tracing:
            raise Refusal(
                "invalid_value", "Tracing cannot be changed once it is on.", "session.tracing"
            )
        voice, speed = current["audio"]["output"]["voice"], current["audio"]["output"]["speed"]
        output = given.get("audio", {}).get("output", {})
        if spoken and output.get("voice", voice) != voice:
            refuse_voice("session.audio.output.voice")
        if speaking and output.get("speed", speed) != speed:
            raise Refusal(
                "invalid_value",
                "The speed cannot be changed while a response is in progress.",
                "session.audio.output.speed",
            )

    def _taken(self, given: Tree, path: tuple[str, ...] = ()) -> Tree:
        """Return what is left of an update when the server has taken what it likes."""
        taken = {}
        for name, value in given.items():
            where = (*path, name)
            if ".".join(where) in self._policy.ignored_fields:
                continue
            if isinstance(value, dict):
                value = self._taken(value, where)
            elif where == _SPEED:
                value = min(value, self._policy.fastest)
            taken[name] = value
        return taken

    def _merge(self, current: Tree, given: Tree) -> Tree:
        merged = dict(current)
        for name, value in given.items():
            if name in _GROUPS:
                merged[name] = self._merge(current[name], value)
            elif name == "turn_detection" and value is not None:
                merged[name] = self._filled(current[name], value, _TURN_DETECTION[value["type"]])
            elif name == "transcription" and value is not None:
                merged[name] = _with_model(self._filled(current[name], value, _TRANSCRIPTION))
            elif name == "noise_reduction" and value is not None:
                # "strength left out keeps its current value", whatever the policy says.
                merged[name] = {**(current[name] or {}), **value}
            elif name == "instructions" and value == "":
                clear = self._policy.empty_instructions == "clear"
                merged[name] = "" if clear else INSTRUCTIONS
            else:
                merged[name] = value
        return merged

    def _filled(self, current: Tree | None, given: Tree, defaults: Tree) -> Tree:
        heir = current is not None and current.get("type") == given.get("type")
        base = current if heir and not self._policy.refill_defaults else defaults
        return {**(base or {}), **given}


def _with_model(transcription: Tree) -> Tree:
    if transcription["model"] is None:
        raise missing("session.audio.input.transcription.model")
    return transcription


def refuse_voice(param: str) -> None:
    """Say that the voice is frozen: the model has spoken."""
    raise Refusal(
        "cannot_update_voice",
        "The voice of a conversation cannot be changed once it has assistant audio.",
        param,
    )


def _reasons(model: str) -> bool:
    """Whether `model` is a reasoning model: `gpt-realtime-2` and later, by name.

    `gpt-realtime-2025-08-28` is not one. A model that we do not know may well be.
    """
    if not model.startswith(("gpt-realtime", "gpt-4o", "gpt-audio")):
        return True
    return any(model == name or model.startswith((f"{name}.", f"{name}-")) for name in _REASONING)


_REASONING = ("gpt-realtime-2",)
