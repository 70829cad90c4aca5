"""The wire's own verbs, grouped as the wire groups them.

`session.update` is `client.session.update`, `response.create` is `client.response.create`,
and so on: whoever knows the protocol knows where to look. Each verb that the server answers
returns the acknowledging event, or raises the error that answers it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack

import anyio

from realtime_client import events
from realtime_client.connection import Connection
from realtime_client.creates import refuse_metadata
from realtime_client.errors import UsageError
from realtime_client.given import check_choice, check_seconds
from realtime_client.options import plain, tool_functions
from realtime_client.response import Response
from realtime_client.toolbox import Toolbox, refuse_deadlock
from realtime_client.tools import ToolFunction
from realtime_client.written import event_from

if TYPE_CHECKING:
    from realtime_client.audio import Counts
    from realtime_client.uplink import Uplink

__all__ = [
    "InputAudioBufferVerbs",
    "ResponseOptions",
    "ResponseVerbs",
]

_Dict = Mapping[str, Any]


class ResponseOptions(TypedDict, total=False):
    """What one response can have different from its session; all fields of the wire."""

    instructions: str
    output_modalities: Sequence[str]
    conversation: Literal["auto", "none"] | str
    input: Sequence[events.Item | _Dict]
    metadata: Mapping[str, str]
    tools: Sequence[events.FunctionTool | events.McpTool | ToolFunction[..., Any] | _Dict]
    tool_choice: str | events.ToolChoiceFunction | events.ToolChoiceMcp | _Dict
    max_output_tokens: int | Literal["inf"]
    parallel_tool_calls: bool
    audio: events.ResponseAudio | _Dict
    prompt: events.Prompt | _Dict
    reasoning: events.Reasoning | _Dict


class ResponseVerbs:
    """`response.*`."""

    def __init__(self, connection: Connection, tools: Toolbox) -> None:
        self._connection = connection
        self._tools = tools

    async def create(
        self,
        *,
        when_busy: Literal["wait", "interrupt", "fail"] = "wait",
        timeout: float | None = None,  # noqa: ASYNC109 - the response is given up with it
        extra_instructions: str | None = None,
        **options: Unpack[ResponseOptions],
    ) -> Response:
        """Ask for a response; returns at its `response.created`.

        The conversation has one response at a time. While one is active, `when_busy` says
        what to do: `wait` for its end, `interrupt` it, or `fail`. A response that the
        server's VAD starts at the same moment is waited for (or interrupted) as well. With
        `conversation="none"` it runs out of band, beside the conversation and not part of it,
        at once and in any number; `input=[]` clears the context that it sees.

        A function with `@tool` among its `tools` is run here when the model calls it, in this
        response and no other. Out of band it cannot be: no output is taken there.
        `instructions` replaces the session's for this response, as the wire does;
        `extra_instructions` is appended to those in force. `metadata`: 15 pairs of your own,
        keys of 64 and values of 512 characters.

        `timeout` is in seconds, from the call until the response begins. Where it passes, or
        the awaiting task is cancelled, the response is given up: the server is told to cancel
        it as soon as its id is known, and nothing of it is played.

        Raises:
            InvalidClientEvent: An option does not fit, or there is no such option, at any
                depth. Nothing was sent.
            UsageError: Another argument is out of its range. Nothing was sent.
            InvalidTool: A function among the `tools` has no `@tool`. Nothing was sent.
            NotSupported: The endpoint has no out-of-band responses. Nothing was sent.
            ConversationBusy: With `when_busy="fail"`, a response is active.
            WouldDeadlock: A tool asks for what waits for the output of the tool.
            ResponseRejected: The server refused it.
            ResponseWithdrawn: It was cancelled while it waited for its turn.
            AcknowledgementTimeout: It has not begun in time; `uncertain` where it was sent.
            ResponseAbandoned: The server has gone silent about it.
            ConnectionLost: The connection broke; `uncertain` where it had been sent.
        """
        _check_asking(when_busy, timeout, extra_instructions)
        refuse_metadata(options.get("metadata"))
        functions = tool_functions(None, options)
        wire = {"type": "response.create", "response": plain(dict(options))}
        command = event_from(wire)
        assert isinstance(command, events.ResponseCreate)
        refuse_deadlock(self._connection, out_of_band=options.get("conversation") == "none")
        with self._tools.lending(command, functions) as command:
            return await self._connection.request_response(
                command, when_busy=when_busy, timeout=timeout, extra=extra_instructions
            )

    async def cancel(self, response_id: str | None = None) -> None:
        """Cancel a response by its id, and wait until the server has ended it.

        Without an id it is everything that is said or asked for in the conversation: the
        active response, one whose id is not known yet as soon as it is, and those that wait
        for their turn, whose callers get `ResponseWithdrawn`. What tools are at work on is
        answered and not followed up. Out-of-band responses go on.
        One that has ended, or that nobody knows, is left alone.

        Raises:
            UsageError: The id is no text. Nothing was sent.
            ConnectionLost: The connection broke before the end.
        """
        if not isinstance(response_id, str | None):
            raise UsageError(f"a response's id is a text, not {response_id!r}; nothing was sent")
        self._connection.check_open()
        router = self._connection.protocol.router
        if response_id is not None:
            await self._connection.cancel(response_id)
        else:
            self._connection.protocol.calls.on_interrupted()
            waiting = [one for one in router.creates.waiting if one.in_conversation]
            await self._connection.cancel_all([*waiting, *router.occupants])


def _check_asking(when_busy: object, timeout: object, extra_instructions: object) -> None:
    check_choice("when_busy", when_busy, ("wait", "interrupt", "fail"))
    if timeout is not None:
        check_seconds("timeout", timeout, zero=True)
    if not isinstance(extra_instructions, str | None):
        name = type(extra_instructions).__name__
        raise UsageError(f"extra_instructions is a text, not {name}; nothing was sent")


class InputAudioBufferVerbs:
    """`input_audio_buffer.*`: the turn, by hand."""

    def __init__(self, connection: Connection, uplink: Uplink) -> None:
        self._connection = connection
        self._uplink = uplink
        self._committing = anyio.Lock()

    @property
    def counts(self) -> Counts:
        """What has become of every sample of the input: pushed, appended, committed, held."""
        return self._uplink.counts

    async def append(self, audio: bytes | str) -> None:
        """Append audio that already is in the session's input format.

        `audio` goes out as it is: bytes, or text that already is base64. Nothing is
        resampled or chunked; for anything else there is `client.send_audio`. At most 15 MiB.
        """
        self._connection.append(audio)
        self._uplink.appended(audio)
        await self._connection.drain()

    async def commit(self) -> events.InputAudioBufferCommitted:
        """End the turn: flush what is held here, commit, and wait for `committed`.

        The server takes no turn under 100 ms. A shorter one is padded with silence, and
        `counts.padded` says by how many samples; or with `on_short_commit="error"` of the
        client it is refused here, and what was said joins the next turn.

        Raises:
            UsageError: Under 100 ms, as configured. Nothing was sent, and nothing is lost.
            ServerError: The server refused it: `input_audio_buffer_commit_empty`.
        """
        # "The error can arrive about a second late, after the acknowledgements of later
        # events", and a `committed` names nobody: so one of ours at a time.
        async with self._committing:
            await self._uplink.settled()
            with self._uplink.committing():
                return await self._connection.request(
                    events.InputAudioBufferCommit(), events.InputAudioBufferCommitted
                )

    async def clear(self) -> events.InputAudioBufferCleared:
        """Forget the audio since the last commit, here and at the server."""
        self._connection.check_open()
        self._uplink.clear()
        return await self._connection.request(
            events.InputAudioBufferClear(), events.InputAudioBufferCleared
        )
