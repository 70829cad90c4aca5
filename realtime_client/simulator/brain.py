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

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from realtime_client.events import FunctionTool, Item, McpCallError, Tool
from realtime_client.simulator.policy import SayExactly
from realtime_client.simulator.saying import paraphrase, refusal, text_to_say

__all__ = [
    "Answer",
    "Brain",
    "CallFunction",
    "CallMcp",
    "Fail",
    "Part",
    "Question",
    "Say",
    "Source",
    "Stop",
    "echo",
    "said_exactly",
]


Source = Literal["audio", "text", "image", "tool", "none"]


@dataclass(frozen=True, kw_only=True)
class Question:
    """What the model was told.

    - `source`: what the last words are: `audio` or `text` of a user, the output of a `tool`,
      an `image` that came without words, or `none` where nobody has said anything.
    - `text`: the words. None for speech that cannot be read (a human voice), for an `image`
      and for `none`.
    - `duration_ms`: how long the user spoke, 0 unless `source` is `audio`.
    - `instructions`: those of the response, or else the session's.
    - `items`: the context, oldest first, without audio; a user's audio that could be read has
      its `transcript`, whether transcription is on or not, and images have their `image_url`.
    - `tools`: what may be called.
    - `metadata`: of the `response.create`, or None.
    - `out_of_band`: whether the answer stays outside the conversation.
    """

    source: Source
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

    @property
    def arguments_text(self) -> str:
        """The arguments as they go out."""
        return _json_text(self.arguments)


@dataclass(frozen=True)
class CallMcp:
    """One call of a tool of the MCP server `server_label`, which the model's server makes.

    No MCP server is asked: `output` is what it would have returned, and with an `error` the
    call fails (a text is the message of a `tool_execution_error`). `arguments` are as in
    `CallFunction`.

    With `approval` the call is not made: the response ends with an `mcp_approval_request`
    instead. The client's answer is an `mcp_approval_response`, the last of `Question.items`
    then; a brain that goes on with the call names the `approval_request_id` in it.
    """

    server_label: str
    name: str
    arguments: Mapping[str, Any] | str
    output: str = ""
    error: McpCallError | str | None = None
    approval: bool = False
    approval_request_id: str | None = None

    @property
    def arguments_text(self) -> str:
        """The arguments as they go out."""
        return _json_text(self.arguments)


def _json_text(arguments: Mapping[str, Any] | str) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments)


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


Part: TypeAlias = Say | CallFunction | CallMcp | Fail | Stop
Answer: TypeAlias = Sequence[Part]
Brain: TypeAlias = Callable[[Question], Answer]


def echo(question: Question) -> Answer:
    """Say what was heard; say it word for word where the instructions ask for that.

    "Say exactly the following: X" is answered by X. Otherwise a text T is answered by
    "You said: T", speech that cannot be read by how long it was, a tool by its output, and an
    image by saying that it is there.
    """
    if (text := text_to_say(question.instructions)) is not None:
        return [Say(text)]
    if question.source == "tool":
        return [Say(f"The tool said: {question.text}")]
    if question.source == "none":
        return [Say("Nobody has said anything yet.")]
    if question.source == "image":
        return [Say("I have been shown an image.")]
    if question.text is None:
        return [Say(f"I heard {question.duration_ms / 1000:.1f} seconds of speech.")]
    return [Say(f"You said: {question.text}")]


def said_exactly(instructions: str, habit: SayExactly, tools: Sequence[Tool]) -> Answer | None:
    """Return what a model with this habit makes of being told what to say.

    None where it is not told so, or where that is left to the brain. `tools` are those that it
    knows of; it calls the first function of them, or `lookup` where there is none.
    """
    text = text_to_say(instructions)
    if text is None or habit == "brain":
        return None
    if habit == "tool_call":
        functions = [tool.name for tool in tools if isinstance(tool, FunctionTool)]
        name = next((name for name in functions if isinstance(name, str)), "lookup")
        return [CallFunction(name, {"text": text})]
    if habit == "paraphrase":
        return [Say(paraphrase(text))]
    return [Say(refusal(text) if habit == "refusal" else text)]
