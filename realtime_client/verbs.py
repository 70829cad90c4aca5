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
from realtime_client.codec import client_event_from_dict
from realtime_client.connection import Connection
from realtime_client.options import plain
from realtime_client.response import Response

if TYPE_CHECKING:
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
    tools: Sequence[events.FunctionTool | events.McpTool | _Dict]
    tool_choice: str | events.ToolChoiceFunction | events.ToolChoiceMcp | _Dict
    max_output_tokens: int | Literal["inf"]
    parallel_tool_calls: bool
    audio: events.ResponseAudio | _Dict
    prompt: events.Prompt | _Dict
    reasoning: events.Reasoning | _Dict


class ResponseVerbs:
    """`response.*`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def create(self, **options: Unpack[ResponseOptions]) -> Response:
        """Ask for a response; returns at its `response.created`.

        `instructions` replaces the session's for this response. With `conversation="none"`
        it runs out of band: beside the conversation and not part of it; `input=[]` clears
        the context it sees. `metadata`: 15 pairs of your own, keys of 64 and values of 512
        characters.

        Where the awaiting task is cancelled, the response is given up: the server is told
        to cancel it as soon as its id is known, and nothing of it is played.

        Raises:
            InvalidClientEvent: An option does not fit. Nothing was sent.
            ResponseRejected: The server refused it, for example while another response of
                the conversation is active.
            ConnectionLost: The connection broke; `uncertain` where it had been sent.
        """
        wire = {"type": "response.create", "response": plain(dict(options))}
        command = client_event_from_dict(wire)
        assert isinstance(command, events.ResponseCreate)
        return await self._connection.request_response(command)


class InputAudioBufferVerbs:
    """`input_audio_buffer.*`: the turn, by hand."""

    def __init__(self, connection: Connection, uplink: Uplink) -> None:
        self._connection = connection
        self._uplink = uplink
        self._committing = anyio.Lock()

    async def append(self, audio: bytes | str) -> None:
        """Append audio that already is in the session's input format.

        `audio` goes out as it is: bytes, or text that already is base64. Nothing is
        resampled or chunked; for anything else there is `client.send_audio`. At most 15 MiB.
        """
        self._connection.send(events.InputAudioBufferAppend(audio=audio))
        await self._connection.drain()

    async def commit(self) -> events.InputAudioBufferCommitted:
        """End the turn: flush what is held here, commit, and wait for `committed`.

        Raises:
            ServerError: `input_audio_buffer_commit_empty`, under 100 ms of audio.
        """
        # "The error can arrive about a second late, after the acknowledgements of later
        # events", and a `committed` names nobody: so one of ours at a time.
        async with self._committing:
            await self._uplink.settled()
            self._uplink.flush()
            return await self._connection.request(
                events.InputAudioBufferCommit(), events.InputAudioBufferCommitted
            )

    async def clear(self) -> events.InputAudioBufferCleared:
        """Forget the audio since the last commit, here and at the server."""
        self._uplink.clear()
        return await self._connection.request(
            events.InputAudioBufferClear(), events.InputAudioBufferCleared
        )
