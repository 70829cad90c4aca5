"""`say`: have the model speak a text, and find out how far it did.

Best effort, and honest about it. The text goes into the instructions of a response that sees
nothing else, has no tools, and answers in audio. That is what is documented. It is
near-verbatim in the few recordings there are; paraphrases and drift are reported, and nobody
has published a rate. So it is not guaranteed: what comes back is what was said, beside what
was asked, and the caller decides.

Compared is the server's own transcript, not the sound. A transcript is the server's word about
what it has said, as a rule a faithful one; who has to be sure has to listen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypedDict, Unpack

from realtime_client import events
from realtime_client.errors import UsageError
from realtime_client.former import advice_for_response
from realtime_client.lives import Initiator
from realtime_client.response import AllAudio, Metrics, Output, Response, Timings
from realtime_client.streams import Reader
from realtime_client.verbs import ResponseVerbs
from realtime_client.wording import exact, instruction, match

__all__ = ["Said", "SayOptions", "Spoken", "say"]


class SayOptions(TypedDict, total=False):
    """What else may be given to `say`: fields of the wire that do not decide what is said."""

    audio: events.ResponseAudio | Mapping[str, Any]
    metadata: Mapping[str, str]
    max_output_tokens: int | Literal["inf"]


@dataclass(frozen=True, slots=True)
class Said:
    """What came of a `say`.

    - `resource`: the final response object. Its `status` says whether it was `completed`;
      one that was cut off or has failed has said less, perhaps nothing.
    - `transcript`: the words that were spoken, by the server's account; written text is not
      spoken. Several messages are joined by line ends.
    - `match`: how close they are to what was asked, 0.0 to 1.0: 1 minus the word error rate
      (see `realtime_client.wording`). It judges the transcript, not the sound.
    - `exact`: whether they are the same to the letter, white space aside.
    """

    resource: events.ResponseResource
    transcript: str
    match: float
    exact: bool


class Spoken:
    """A text being spoken: the handle of its response, and what was asked.

    It can be used as the `Response` can, which is in `response`: iterate for its outputs,
    `audio`, `cancel()`. Only `transcript` is spoken words alone, and `done()` compares.
    """

    __slots__ = ("asked", "response")

    def __init__(self, response: Response, asked: str) -> None:
        self.response = response
        self.asked = asked
        """The text that was to be said."""

    def __repr__(self) -> str:
        return f"<Spoken {self.id} {self.status}>"

    @property
    def id(self) -> str:
        """The id of the response."""
        return self.response.id

    @property
    def resource(self) -> events.ResponseResource:
        """The server's newest response object."""
        return self.response.resource

    @property
    def status(self) -> str:
        """`in_progress`, then `completed`, `cancelled`, `incomplete` or `failed`."""
        return self.response.status

    @property
    def status_details(self) -> events.StatusDetails | str | None:
        """Why it ended so: `reason`, or `error` of a failed one."""
        return self.response.status_details

    @property
    def usage(self) -> events.Usage | None:
        """Tokens, once it has ended and where the server counts them."""
        return self.response.usage

    @property
    def metadata(self) -> Mapping[str, str]:
        """The caller's own metadata."""
        return self.response.metadata

    @property
    def audio_format(self) -> events.AudioFormat | None:
        """The format of the audio; None where the server named none."""
        return self.response.audio_format

    @property
    def outputs(self) -> tuple[Output, ...]:
        """The outputs that have begun, in their order: one message, if all goes well."""
        return self.response.outputs

    @property
    def initiator(self) -> Initiator:
        """`client`: it was asked for here."""
        return self.response.initiator

    @property
    def out_of_band(self) -> bool:
        """Whether it leaves no trace in the conversation."""
        return self.response.out_of_band

    @property
    def timings(self) -> Timings:
        """When it was asked for, began, spoke and ended."""
        return self.response.timings

    @property
    def metrics(self) -> Metrics:
        """Its numbers."""
        return self.response.metrics

    @property
    def audio(self) -> AllAudio:
        """What is said, as it is generated: the audio of all messages, one after the other."""
        return self.response.audio

    @property
    def transcript(self) -> str:
        """The words spoken so far, one message a line; written text is not among them."""
        spoken = (output.transcript.so_far for output in self.outputs)
        return "\n".join(words for words in spoken if words)

    def __aiter__(self) -> Reader[Output]:
        return aiter(self.response)

    async def done(self) -> Said:
        """Wait for the end; returns what was said beside what was asked, whatever its status.

        Raises:
            ResponseAbandoned: The server went silent and never ended it.
            ConnectionLost: The connection broke before the end.
        """
        resource = await self.response.done()
        transcript = self.transcript
        return Said(
            resource=resource,
            transcript=transcript,
            match=match(self.asked, transcript),
            exact=exact(self.asked, transcript),
        )

    async def cancel(self) -> None:
        """Cancel it at the server, by its id, and wait until the server has ended it.

        Raises:
            ResponseAbandoned: The server went silent and never ended it.
            ConnectionLost: The connection broke before the end.
        """
        await self.response.cancel()


async def say(
    responses: ResponseVerbs,
    text: str,
    *,
    remember: bool,
    wording: str,
    when_busy: Literal["wait", "interrupt", "fail"],
    timeout: float | None,  # noqa: ASYNC109 - the response is given up with it
    **options: Unpack[SayOptions],
) -> Spoken:
    """Ask the model to say `text` word for word; returns when it begins. This is `client.say`.

    Not guaranteed: see the module for what is known, and `Spoken.done()` for what was said.

    With `remember` what was said becomes a part of the conversation, as an answer does; and
    like an answer it has to wait where one is being given (`when_busy`). Without, it runs out
    of band, at once, and leaves no trace in the conversation, the server's or ours.

    `wording` is the instruction, with `{text}` where the text goes. `timeout` in seconds and
    `when_busy` are those of `response.create`; `options` are fields of the same.

    Raises:
        UsageError: There is no word in the text, no `{text}` in the wording, or an option
            that decides what is said. Nothing was sent.
        NotSupported: `remember=False`, and the endpoint has no responses out of band.
            Nothing was sent.
        RealtimeError: As `response.create`.
    """
    _refuse(text, wording, options)
    instructions = instruction(text, wording)
    response = await responses.create(
        conversation="auto" if remember else "none",
        input=[],
        instructions=instructions,
        output_modalities=["audio"],
        tools=[],
        tool_choice="none",
        when_busy=when_busy,
        timeout=timeout,
        **options,
    )
    return Spoken(response, text)


def _refuse(text: object, wording: object, options: Mapping[str, Any]) -> None:
    """Raise for what is no text, and for an option that is not among `SayOptions`."""
    if not isinstance(text, str):
        raise UsageError(f"say takes a text, not {type(text).__name__}")
    if not isinstance(wording, str):
        name = type(wording).__name__
        raise UsageError(f"the wording is a text with {{text}} in it, not {name}")
    *others, last = sorted(SayOptions.__annotations__)
    for name in options:
        if name not in SayOptions.__annotations__:
            advice = advice_for_response(f"response.{name}")
            tail = f"; {advice}" if advice else ""
            raise UsageError(f"say takes {', '.join(others)} and {last}, not {name!r}{tail}")
