"""One output item of a response while it is being made.

A message to read, a message to hear, a call (for those of MCP tools see `mcp`): each knows
its own words, how it opens, how it grows, how it closes, and what it looks like at any moment
in between. A cancel can come at any moment, so what an item "is" is always what has been
generated so far, never what was planned.

As on the wire, the part of a response is of type `text` or `audio` while the content of the
finished item is `output_text` or `output_audio`.
"""

from collections.abc import Sequence
from typing import Protocol

from realtime_client.audio import WireFormat
from realtime_client.events import (
    ContentPart,
    FunctionCallItem,
    MessageItem,
    ResponseContentPartAdded,
    ResponseContentPartDone,
    ResponseFunctionCallArgumentsDelta,
    ResponseFunctionCallArgumentsDone,
    ResponseOutputAudioDelta,
    ResponseOutputAudioDone,
    ResponseOutputAudioTranscriptDelta,
    ResponseOutputAudioTranscriptDone,
    ResponseOutputTextDelta,
    ResponseOutputTextDone,
    ServerEvent,
)
from realtime_client.simulator.brain import CallFunction, CallMcp, Say
from realtime_client.simulator.clip import Clip
from realtime_client.simulator.items import Entry
from realtime_client.simulator.mcp import make_mcp_output
from realtime_client.simulator.place import Place
from realtime_client.simulator.question import audio_tokens, text_tokens
from realtime_client.simulator.request import Request
from realtime_client.simulator.services import Ids
from realtime_client.simulator.speech import AudioPiece, Piece, TextPiece, padding, sung, written

__all__ = ["Output", "make_output"]


class Output(Protocol):
    """An item being made, piece by piece."""

    place: Place
    pieces: Sequence[Piece]
    seconds: float  # of playing time until the next item begins
    text_only: bool  # a message that is read and not heard

    def entry(self, status: str) -> Entry:
        """Return the item as far as it has come."""

    def opening(self) -> list[ServerEvent]:
        """Return what is said after the item was added."""

    def grow(self, piece: Piece) -> ServerEvent:
        """Add a piece and return its delta."""

    def closing(self) -> list[ServerEvent]:
        """Return the `.done` events with what was generated."""

    def tokens(self, piece: Piece | None = None) -> tuple[int, int]:
        """Return the tokens so far, or with one more piece: text, audio."""


def make_output(
    part: Say | CallFunction | CallMcp, place: Place, request: Request, ids: Ids
) -> Output:
    """Return the item that a part of an answer becomes."""
    if isinstance(part, CallMcp):
        return make_mcp_output(part, place)
    if isinstance(part, CallFunction):
        return _Call(place, part, ids("call"))
    if (part.modality or request.modality) == "text":
        return _Text(place, part.text)
    return _Audio(place, part.text, request.wire_format)


class _Text:
    """A written message."""

    text_only = True

    def __init__(self, place: Place, text: str) -> None:
        self.place = place
        self.pieces: Sequence[Piece] = written(text)
        self.seconds = self.pieces[-1].at if self.pieces else 0.0
        self._text = ""

    def entry(self, status: str) -> Entry:
        content: tuple[ContentPart, ...] = ()
        if status != "in_progress":
            content = (ContentPart(type="output_text", text=self._text),)
        return Entry(
            MessageItem(id=self.place.item_id, status=status, role="assistant", content=content)
        )

    def opening(self) -> list[ServerEvent]:
        part = ContentPart(type="text", text="")
        return [ResponseContentPartAdded(**self.place.part, part=part)]

    def grow(self, piece: Piece) -> ServerEvent:
        assert isinstance(piece, TextPiece)
        self._text += piece.text
        return ResponseOutputTextDelta(
            **self.place.part, delta=piece.text, obfuscation=padding(piece.text)
        )

    def closing(self) -> list[ServerEvent]:
        at = self.place.part
        part = ContentPart(type="text", text=self._text)
        return [
            ResponseOutputTextDone(**at, text=self._text),
            ResponseContentPartDone(**at, part=part),
        ]

    def tokens(self, piece: Piece | None = None) -> tuple[int, int]:
        return text_tokens(self._text + _text(piece)), 0


class _Audio:
    """A spoken message: a transcript, and the audio that says it."""

    text_only = False

    def __init__(self, place: Place, text: str, format_: WireFormat) -> None:
        self.place = place
        self.pieces: Sequence[Piece]
        self._clip, self.pieces = sung(text, format_)
        self.seconds = len(self._clip.samples) / format_.rate
        self._transcript = ""
        self._sent = 0  # samples

    def entry(self, status: str) -> Entry:
        content: tuple[ContentPart, ...] = ()
        if status != "in_progress":
            content = (ContentPart(type="output_audio", transcript=self._transcript),)
        return Entry(
            MessageItem(id=self.place.item_id, status=status, role="assistant", content=content),
            {0: Clip(self._clip.samples[: self._sent], self._clip.format)},
        )

    def opening(self) -> list[ServerEvent]:
        part = ContentPart(type="audio", transcript="")
        return [ResponseContentPartAdded(**self.place.part, part=part)]

    def grow(self, piece: Piece) -> ServerEvent:
        at = self.place.part
        if isinstance(piece, AudioPiece):
            self._sent = piece.last
            audio = self._clip.format.encode(self._clip.samples[piece.first : piece.last])
            return ResponseOutputAudioDelta(**at, delta=audio)
        self._transcript += piece.text
        return ResponseOutputAudioTranscriptDelta(
            **at, delta=piece.text, obfuscation=padding(piece.text)
        )

    def closing(self) -> list[ServerEvent]:
        at = self.place.part
        part = ContentPart(type="audio", transcript=self._transcript)
        return [
            ResponseOutputAudioDone(**at),
            ResponseOutputAudioTranscriptDone(**at, transcript=self._transcript),
            ResponseContentPartDone(**at, part=part),
        ]

    def tokens(self, piece: Piece | None = None) -> tuple[int, int]:
        sent = piece.last if isinstance(piece, AudioPiece) else self._sent
        sent_ms = sent * 1000 // self._clip.format.rate
        return text_tokens(self._transcript + _text(piece)), audio_tokens(sent_ms)


class _Call:
    """A function call. It has no content parts."""

    text_only = False

    def __init__(self, place: Place, call: CallFunction, call_id: str) -> None:
        self.place = place
        self.pieces: Sequence[Piece] = written(call.arguments_text)
        self.seconds = self.pieces[-1].at if self.pieces else 0.0
        self._name = call.name
        self._call_id = call_id
        self._arguments = ""

    def entry(self, status: str) -> Entry:
        return Entry(
            FunctionCallItem(
                id=self.place.item_id,
                status=status,
                name=self._name,
                call_id=self._call_id,
                arguments=self._arguments,
            )
        )

    def opening(self) -> list[ServerEvent]:
        return []

    def grow(self, piece: Piece) -> ServerEvent:
        assert isinstance(piece, TextPiece)
        self._arguments += piece.text
        return ResponseFunctionCallArgumentsDelta(
            **self.place.item,
            call_id=self._call_id,
            delta=piece.text,
            obfuscation=padding(piece.text),
        )

    def closing(self) -> list[ServerEvent]:
        return [
            ResponseFunctionCallArgumentsDone(
                **self.place.item,
                call_id=self._call_id,
                name=self._name,
                arguments=self._arguments,
            )
        ]

    def tokens(self, piece: Piece | None = None) -> tuple[int, int]:
        return text_tokens(self._arguments + _text(piece)), 0


def _text(piece: Piece | None) -> str:
    return piece.text if isinstance(piece, TextPiece) else ""
