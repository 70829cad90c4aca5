"""A core that is told what a server says, for tests of what outlives its connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pybase64 import b64encode

from realtime_client.errors import ConnectionLost
from realtime_client.events import InputAudioBufferAppend, Item
from realtime_client.outcome import Outcome
from realtime_client.protocol import Protocol
from realtime_client.restoring import Estate
from realtime_client.simulator import (
    Brain,
    SimulatedSession,
    SimulatorPolicy,
    counting_ids,
    echo,
)
from tests import wire

WORD_MS: Final = 100
"""How long every word lasts that is said here."""
WORD: Final = WORD_MS * 48
"""The same in bytes of 24 kHz PCM."""


def sent(protocol: Protocol) -> list[dict[str, Any]]:
    """What is ready to be written, which is written with that."""
    return [wire.read(frame.raw) for frame in protocol.data_to_send()]


def opened(*, turn_detection: Any = None, **options: Any) -> Protocol:
    """A core that is open, of a session without turn detection unless it is asked for."""
    protocol = Protocol(**{"nonce": "old", "now": 0.0, **options})
    session = wire.session()
    session["audio"]["input"]["turn_detection"] = turn_detection
    tell(protocol, "session.created", session=session)
    if not protocol.is_open:
        sent(protocol)
        tell(protocol, "session.updated", session=session)
    assert protocol.is_open
    protocol.outcomes()
    return protocol


def tell(protocol: Protocol, wire_type: str, now: float = 0.0, **fields: Any) -> None:
    """One event of the server."""
    protocol.receive(wire.frame(wire_type, **fields), now)


def add(protocol: Protocol, item: dict[str, Any], now: float = 0.0) -> None:
    """An item enters the conversation, at its end."""
    tell(protocol, "conversation.item.added", now, item=item)
    tell(protocol, "conversation.item.done", now, item=item)


def text(item_id: str, words: str, role: str = "user") -> dict[str, Any]:
    kind = "output_text" if role == "assistant" else "input_text"
    return message(item_id, {"type": kind, "text": words}, role=role)


def message(item_id: str, *parts: dict[str, Any], role: str = "user") -> dict[str, Any]:
    return wire.message(
        item_id, role, content=list(parts), status="completed", object="realtime.item"
    )


def heard_as(transcript: str | None) -> dict[str, Any]:
    return {"type": "input_audio", "transcript": transcript}


def call(item_id: str, call_id: str, status: str = "completed") -> dict[str, Any]:
    return {"type": "function_call", "id": item_id, "call_id": call_id, "name": "look",
            "arguments": "{}", "status": status}  # fmt: skip


def output(item_id: str, call_id: str) -> dict[str, Any]:
    return {"type": "function_call_output", "id": item_id, "call_id": call_id, "output": "42"}


class Speech:
    """A message that the model is saying, word by word; each lasts `WORD_MS`."""

    def __init__(
        self, protocol: Protocol, item_id: str = "m", *, parts: int = 1, now: float = 0.0
    ) -> None:
        self.protocol = protocol
        self.item_id = item_id
        self.response_id = f"resp_{item_id}"
        self.words: list[list[str]] = [[] for _ in range(parts)]
        self.now = now
        created = {"id": self.response_id, "status": "in_progress", "conversation_id": "conv"}
        tell(protocol, "response.created", now, response=created)
        growing = wire.message(item_id, status="in_progress")
        self._tell("response.output_item.added", item=growing)
        tell(protocol, "conversation.item.added", now, item=growing)

    def _tell(self, wire_type: str, **fields: Any) -> None:
        tell(self.protocol, wire_type, self.now, response_id=self.response_id, **fields)

    def say(self, words: str, *, part: int = 0, audio: bool = True) -> Speech:
        """So much is generated: the words, and the audio of them where it has come, too."""
        where = {"item_id": self.item_id, "content_index": part}
        for word in words.split():
            time = len(self.words[part]) * WORD_MS / 1000
            delta = word if not self.words[part] else f" {word}"
            self._tell(
                "response.output_audio_transcript.delta", delta=delta, start_time=time, **where
            )
            self.words[part].append(word)
            if audio:
                delta = b64encode(bytes(WORD)).decode()
                self._tell("response.output_audio.delta", delta=delta, **where)
        return self

    def done(self, status: str = "completed") -> Speech:
        """The server is done with it, and shows all its words."""
        parts = [
            {"type": "output_audio", "transcript": " ".join(words)} for words in self.words
        ]  # fmt: skip
        for index, words in enumerate(self.words):
            where = {"item_id": self.item_id, "content_index": index}
            self._tell("response.output_audio_transcript.done", transcript=" ".join(words), **where)
        whole = wire.message(self.item_id, content=parts, status=status)
        tell(self.protocol, "conversation.item.done", self.now, item=whole)
        self._tell("response.output_item.done", item=whole)
        resource = {"id": self.response_id, "status": status, "output": [whole],
                    "conversation_id": "conv"}  # fmt: skip
        tell(self.protocol, "response.done", self.now, response=resource)
        return self

    def take(self, words: int | None = None, *, part: int = 0) -> Speech:
        """The player takes the audio of so many words, or all of it. It reports."""
        self.protocol.playback.played(0)
        count = len(self.words[part]) if words is None else words
        self.protocol.playback.on_handed(self.item_id, part, count * WORD, self.now)
        return self

    def play(self, words: float) -> Speech:
        """The player has played so much in all."""
        self.protocol.playback.played(words * WORD_MS)
        return self


def carried_texts(estate: Estate) -> dict[str, str]:
    """What the messages say that are carried, by their ids."""
    return {one.item_id: said(item) for item, one in estate.carried.items}


def said(item: Item) -> str:
    """The words of an item, of all its parts."""
    parts = getattr(item, "content", None) or ()
    return " ".join(str(part.text) for part in parts)


def forms(estate: Estate) -> dict[str, str]:
    """How much of each item is carried."""
    return {one.item_id: one.form for _, one in estate.carried.items}


def left(estate: Estate) -> dict[str, str]:
    """Why each item that is left behind cannot come."""
    return {one.item_id: one.why for one in estate.carried.left}


class Line:
    """A core and a simulated session at the other end, in virtual time; nothing takes any.

    `ids` are the server's, which gives no id twice, in whatever session.
    """

    def __init__(
        self,
        core: Protocol,
        policy: SimulatorPolicy,
        brain: Brain = echo,
        *,
        now: float = 0.0,
        ids: Callable[[str], str] | None = None,
    ) -> None:
        self.core = core
        self.ids = ids or counting_ids()
        self.session = SimulatedSession(policy, brain, ids=self.ids)
        self.now = now
        self.outcomes: dict[str, Outcome] = {}
        self.session.start(now)
        self.pump()

    def pump(self) -> None:
        """Both say what they have to say, until nobody has."""
        moved = True
        while moved:
            moved = False
            for frame in self.core.data_to_send():
                self.session.receive(frame.raw, self.now)
                moved = True
            for data in self.session.data_to_send():
                self.core.receive(data, self.now)
                moved = True
            self.pump_outcomes()

    def run(self, seconds: float = 60.0) -> None:
        """Time passes, as long as anybody has something planned."""
        end = self.now + seconds
        while True:
            due = (self.session.next_deadline(), self.core.next_deadline())
            planned = [when for when in due if when is not None and when <= end]
            if not planned:
                break
            self.now = max(self.now, min(planned))
            self.session.on_deadline(self.now)
            self.core.on_deadline(self.now)
            self.pump()
        self.now = end

    def send(self, command: Any) -> str | None:
        """A command, and whatever comes of it at once."""
        event_id = self.core.send(command, self.now)
        self.pump()
        return event_id

    def say(self, samples: NDArray[np.int16], chunk_ms: int = 100) -> None:
        """The user's audio, in chunks, each of which is heard before the next."""
        audio, size = samples.tobytes(), chunk_ms * 48
        for start in range(0, len(audio), size):
            self.send(InputAudioBufferAppend(audio=audio[start : start + size]))

    def lose(self) -> Protocol:
        """The connection is lost, and another one is to come."""
        self.core.lost(ConnectionLost("it dropped"), comes_back=True)
        self.pump_outcomes()
        return self.core

    def pump_outcomes(self) -> None:
        """What has got its end without the server."""
        for outcome in self.core.outcomes():
            assert outcome.event_id not in self.outcomes, "every request has one end"
            self.outcomes[outcome.event_id] = outcome
