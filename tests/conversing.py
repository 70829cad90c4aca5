"""A conversation that is held through bad weather, and an account of what became of each call.

Every call either gives its own result or raises one of the errors that are documented for it.
Its own result: an acknowledgement shows what was asked, an item the text that was sent, a
response the words that answer the question, and in its audio the same words. A turn that the
server has acknowledged holds exactly the samples that were said since the last one, less those
that a `Reconnected` has named as dropped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from ssl import SSLContext
from typing import Any, Final, TypeVar

import numpy as np

from realtime_client import Client, Endpoint, Keepalive
from realtime_client.changeover import Reconnected
from realtime_client.errors import ConnectionLost, RealtimeError, ResponseAbandoned, ServerError
from realtime_client.reconnect import OutageAudio, Reconnect
from realtime_client.simulator import Server, sing
from tests.responding import heard

T = TypeVar("T")

WORDS: Final = ("red", "green", "blue", "black", "white", "brown")

MAY_RAISE: Final[dict[str, tuple[type[RealtimeError], ...]]] = {
    "update": (ConnectionLost,),
    "text": (ConnectionLost,),
    "retrieve": (ConnectionLost,),
    "create": (ConnectionLost, ResponseAbandoned),
    "done": (ConnectionLost, ResponseAbandoned),
    "aside": (ConnectionLost, ResponseAbandoned),
    "commit": (ConnectionLost, ServerError),
}
"""What is documented for each call, where the network is bad and the server is not. A commit
of a turn all of which was dropped is refused by the server."""


@dataclass
class Account:
    """What became of the calls of one or of many conversations."""

    good: Counter[str] = field(default_factory=Counter)
    bad: Counter[tuple[str, str]] = field(default_factory=Counter)
    changes: int = 0
    dropped: int = 0
    faults: int = 0

    @property
    def share(self) -> float:
        """The share of the calls that gave their result."""
        calls = self.good.total() + self.bad.total()
        return self.good.total() / calls if calls else 1.0

    def add(self, other: Account) -> None:
        self.good += other.good
        self.bad += other.bad
        self.changes += other.changes
        self.dropped += other.dropped
        self.faults += other.faults


class Conversation:
    """One conversation.

    Where bytes may arrive as others than were sent nothing is `exact`: a call may bring anything
    then, or raise any error of the tree, and nothing else.
    """

    def __init__(self, client: Client, server: Server, number: int, *, exact: bool = True) -> None:
        self._exact = exact
        self._client = client
        self._server = server
        self._number = number
        self._connections = client.connections()
        self._said = np.zeros(0, np.int16)
        """Every sample that was appended, silence that was added included."""
        self._settled = 0
        self._dropped: list[Reconnected] = []
        self.account = Account()

    async def hold(self, rounds: int) -> None:
        for number in range(rounds):
            word = WORDS[(self._number + number) % len(WORDS)]
            await self._configure(f"Conversation {self._number}, round {number}.")
            await self._write(f"{word} {self._number}")
            await self._speak(word)
            await self._ask_aside(f"aside {self._number}")
        for report in await self._reports():
            self.account.changes += 1
            self.account.dropped += report.dropped.stop - report.dropped.start

    async def _call(self, what: str, call: Callable[[], Awaitable[T]]) -> T | None:
        """Its result, or None where it raised what it may raise."""
        await self._client.ready()
        may_raise = MAY_RAISE[what] if self._exact else (RealtimeError,)
        try:
            result = await call()
        except may_raise as error:
            self.account.bad[what, type(error).__name__] += 1
            return None
        self.account.good[what] += 1
        return result

    async def _configure(self, instructions: str) -> None:
        session = self._client.session
        answer = await self._call("update", lambda: session.update(instructions=instructions))
        if answer is not None:
            effective: Any = answer.effective
            assert not self._exact or effective.instructions == instructions

    async def _write(self, text: str) -> None:
        added = await self._call("text", lambda: self._client.send_text(text))
        if added is None:
            return
        item: Any = added.item
        assert not self._exact or item.content[0].text == text
        verbs = self._client.conversation.item
        retrieved = await self._call("retrieve", lambda: verbs.retrieve(item.id))
        if retrieved is not None:
            there: Any = retrieved.item
            told = there.id, there.content[0].text
            assert not self._exact or told == (item.id, text)
        await self._answered(f"You said: {text}")

    async def _answered(self, words: str, what: str = "create", **options: Any) -> None:
        create = self._client.response.create
        response = await self._call(what, lambda: create(**options))
        if response is None:
            return

        async def done() -> None:
            told = await heard(response), response.transcript
            assert not self._exact or told == (words, words)

        await self._call("done", done)

    async def _ask_aside(self, text: str) -> None:
        """Several responses of one text: each is its own, whatever else happens."""
        await self._answered(
            text,
            "aside",
            conversation="none",
            input=[],
            instructions=f"Say exactly the following: {text}",
        )

    async def _speak(self, word: str) -> None:
        samples = sing(word)
        for start in range(0, len(samples), 1_000):
            await self._client.send_audio(samples[start : start + 1_000])
        self._said = np.concatenate([self._said, samples])
        counts = self._client.input_audio_buffer.counts
        commit = self._client.input_audio_buffer.commit
        committed = await self._call("commit", commit)
        padded = self._client.input_audio_buffer.counts.padded - counts.padded
        self._said = np.concatenate([self._said, np.zeros(padded, np.int16)])
        if committed is None or not self._exact:
            return
        begun, self._settled = self._settled, len(self._said)
        wanted = await self._expected(begun, self._settled)
        item_id = str(committed.item_id)
        entries = [session.conversation.find(item_id) for session in self._server.sessions]
        (entry,) = [entry for entry in entries if entry is not None and entry.clips]
        assert np.array_equal(entry.clips[0].samples, wanted)

    async def _expected(self, start: int, stop: int) -> Any:
        """What was said from `start` to `stop`, less what was dropped of it."""
        there = np.ones(len(self._said), bool)
        for report in await self._reports():
            there[report.dropped.start : report.dropped.stop] = False
        return self._said[start:stop][there[start:stop]]

    async def _reports(self) -> list[Reconnected]:
        """Every change of the connection so far."""
        while self._connections.held:
            change = await anext(self._connections)
            if isinstance(change, Reconnected):
                self._dropped.append(change)
        return self._dropped


def client_for(url: str, *, audio: OutageAudio, ssl: SSLContext | None = None) -> Client:
    """A client that notices soon and tries often, so that a test is short."""
    return Client(
        endpoint=Endpoint(url),
        turn_detection=None,
        keep_user_audio=True,
        ssl=ssl,
        open_timeout=2.0,
        close_timeout=0.5,
        response_timeout=3.0,
        keepalive=Keepalive(interval=0.5, timeout=0.5),
        reconnect=Reconnect(
            tries=1_000, total=30.0, first=0.01, longest=0.1, healthy=0.1, opening=True, audio=audio
        ),
    )
