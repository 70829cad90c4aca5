"""What a simulated model says: a function from what it was told to what it answers.

A test that needs a certain behaviour passes its own function and has no class to learn::

    def brain(question: Question) -> Answer:
        if question.source == "tool":
            return [Say(f"It is {question.text}.")]
        return [Say("One moment."), CallFunction("get_weather", {"city": "London"})]

    async with serve(brain=brain) as server: ...

The parts of an answer become output items in their order, so messages and calls can be mixed.
A brain decides and does not wait: it is called once for each response, and how fast the
answer is spoken is the server's business (`SimulatorPolicy.pace`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from realtime_client.events import Item, Tool

__all__ = ["Answer", "Brain", "CallFunction", "Fail", "Part", "Question", "Say", "Stop", "echo"]

SAY_EXACTLY = "Say exactly the following:"


@dataclass(frozen=True, kw_only=True)
class Question:
    """What the model was told.

    - `source`: what the last words are: `audio` or `text` of a user, the output of a `tool`,
      or `none` where nobody has said anything.
    - `text`: the words. None for speech that cannot be read (a human voice), and for `none`.
    - `duration_ms`: how long the user spoke, 0 unless `source` is `audio`.
    - `instructions`: those of the response, or else the session's.
    - `items`: the context, oldest first, without audio; a user's audio that could be read has
      its `transcript`, whether transcription is on or not.
    - `tools`: what may be called.
    - `metadata`: of the `response.create`, or None.
    - `out_of_band`: whether the answer stays outside the conversation.
    """

    source: Literal["audio", "text", "tool", "none"]
    text: str | None
    duration_ms: int
    instructions: str
    items: tuple[Item, ...]
    tools: tuple[Tool, ...] = ()
    metadata: Mapping[str, str] | None = None
    out_of_band: bool = False


@dataclass(frozen=True)
class Say:
    """One message. `modality` is `text` or `audio`; None is what was asked for."""

    text: str
    modality: Literal["text", "audio"] | None = None


@dataclass(frozen=True)
class CallFunction:
    """One function call. `arguments` is a JSON object, or JSON text to send as it is."""

    name: str
    arguments: Mapping[str, Any] | str


@dataclass(frozen=True)
class Fail:
    """The inference fails here: `response.done` has the status `failed` and this error."""

    code: str
    message: str
    type: str = "server_error"


@dataclass(frozen=True)
class Stop:
    """The model stops here: status `incomplete`, such as for `content_filter`."""

    reason: str


Part: TypeAlias = Say | CallFunction | Fail | Stop
Answer: TypeAlias = Sequence[Part]
Brain: TypeAlias = Callable[[Question], Answer]


def echo(question: Question) -> Answer:
    """Say what was heard; say it word for word where the instructions ask for that.

    "Say exactly the following: X" is answered by X. Otherwise a text T is answered by
    "You said: T", speech that cannot be read by how long it was, a tool by its output.
    """
    if question.instructions.startswith(SAY_EXACTLY):
        return [Say(question.instructions.removeprefix(SAY_EXACTLY).strip())]
    if question.source == "tool":
        return [Say(f"The tool said: {question.text}")]
    if question.source == "none":
        return [Say("Nobody has said anything yet.")]
    if question.text is None:
        return [Say(f"I heard {question.duration_ms / 1000:.1f} seconds of speech.")]
    return [Say(f"You said: {question.text}")]
