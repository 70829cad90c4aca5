"""What can be done in a session, as one value: from its dialect and what the server acknowledged.

Nothing here is asked of the server, and nothing is tried. The dialect says what a family of
servers does, and the newest `session` object what is switched on; where that leaves a field
out, its default holds.
"""

from __future__ import annotations

from dataclasses import dataclass

from realtime_client.acknowledgement import Effective
from realtime_client.dialects import Dialect
from realtime_client.events import SessionConfig
from realtime_client.frames import detects, transcribes

__all__ = ["Capabilities", "capabilities_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What the endpoint can do, and what the session has switched on. See `Dialect` for the rest.

    Of a session that only transcribes, everything that takes an answer of the model is False.
    """

    dialect: str
    """The name of the dialect."""
    truncation: bool
    """What was said can be cut at what was heard: `conversation.item.truncate`."""
    turn_detection: bool
    """The server finds the user's turns; otherwise they are committed by hand."""
    user_transcription: bool
    """What the user says is written down: `user_turns()` have words."""
    audio_output: bool
    """Responses are spoken, unless one asks for text."""
    manual_function_calls: bool
    """Function calls can be answered by hand, whenever the answer is there."""
    per_response_tool_choice: bool
    """`response.create(tool_choice=...)` holds for that response."""
    out_of_band: bool
    """`response.create(conversation="none")`, and `say(remember=False)`."""
    echoes_metadata: bool
    """A response is known for one's own by its metadata, and not by the order alone."""
    correlates_errors: bool
    """A refusal reaches its caller, however many wait."""
    acknowledges_updates: bool
    """`session.update` returns what the server made of it."""
    acknowledges_truncation: bool
    """`conversation.item.truncate` returns the server's answer."""
    session_seconds: float | None
    """How long a session lasts; None where nobody has said."""


def capabilities_of(dialect: Dialect, session: Effective | None) -> Capabilities:
    """The capabilities of a session that was acknowledged so; None where none was yet."""
    converses = isinstance(session, SessionConfig)
    return Capabilities(
        dialect=dialect.name,
        truncation=converses,
        turn_detection=session is not None and detects(session),
        user_transcription=session is not None and transcribes(session),
        audio_output=_speaks(session),
        manual_function_calls=converses,
        per_response_tool_choice=converses and dialect.response_tool_choice,
        out_of_band=converses and dialect.out_of_band,
        echoes_metadata=dialect.echoes_metadata,
        correlates_errors=dialect.correlates_errors,
        acknowledges_updates=dialect.acknowledges_updates,
        acknowledges_truncation=dialect.acknowledges_truncation,
        session_seconds=dialect.session_seconds,
    )


def _speaks(session: Effective | None) -> bool:
    if not isinstance(session, SessionConfig):
        return False
    return "audio" in (session.output_modalities or ("audio",))
