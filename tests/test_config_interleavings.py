"""Random interleavings of everything that can happen to a configuration.

A reference server keeps a session and a line of answers. It accepts, ignores a field of,
rejects or leaves unanswered what it gets, its refusals may be late, somebody else changes the
session, and the connection breaks. The client side is the real core, frame by frame. At the
end the core's `acknowledged` is the server's state, every caller has got exactly one outcome,
and it was the right one.
"""

from __future__ import annotations

import copy
import random
from collections import deque
from typing import Any

import pytest

from realtime_client.acknowledgement import Acknowledgement
from realtime_client.config import asked_by
from realtime_client.errors import (
    AcknowledgementTimeout,
    ConnectionLost,
    RealtimeError,
    SessionUpdateRejected,
)
from realtime_client.leaves import Leaves, leaves, tree
from realtime_client.protocol import Protocol
from tests import wire

CHOICES: dict[tuple[str, ...], list[Any]] = {
    ("instructions",): ["", "a", "b"],
    ("tools",): [[], [{"type": "function", "name": "f"}]],
    ("tracing",): [None],
    ("max_output_tokens",): ["inf", 10, 20],
    ("audio", "output", "speed"): [0.5, 1.0, 1.5],
    ("audio", "output", "voice"): ["alloy", "marin"],
    ("audio", "input", "noise_reduction"): [None, {"type": "near_field"}, {"type": "far_field"}],
    ("audio", "input", "turn_detection"): [
        None,
        {"type": "server_vad", "threshold": 0.5, "silence_duration_ms": 200},
        {"type": "server_vad", "threshold": 0.7},
        {"type": "semantic_vad", "eagerness": "low"},
    ],
}
DEFAULTS: Leaves = {("type",): "realtime", **{path: some[0] for path, some in CHOICES.items()}}


class ReferenceServer:
    """One session, by the rules of the protocol and with the habits of real servers."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self.state: dict[Any, Any] = dict(DEFAULTS)
        self.line: deque[tuple[str | None, bytes]] = deque()
        self.rejected: set[str] = set()
        self.applied: set[str] = set()
        self.well_behaved = False
        self.line.append((None, self._say("session.created")))

    def _say(self, kind: str) -> bytes:
        return wire.frame(kind, session=tree(copy.deepcopy(self.state)))

    def receive(self, update: dict[str, Any]) -> None:
        event_id, asked = update["event_id"], leaves(update["session"])
        mood = (
            "accept"
            if self.well_behaved
            else self._rng.choice(
                ["accept", "accept", "accept", "ignore", "reject", "late reject", "mute", "deaf"]
            )
        )
        if mood == "deaf":
            return
        if "reject" in mood:
            self.rejected.add(event_id)
            answer = (event_id, wire.error(event_id, "invalid_value"))
            place = len(self.line) if mood == "reject" else len(self.line) + 2
            self.line.insert(place, answer)
            return
        ignored = self._rng.choice(list(asked)) if mood == "ignore" else None
        for path, value in asked.items():
            if path != ignored:
                self.state[path] = value
        self.applied.add(event_id)
        if mood != "mute":
            self.line.append((event_id, self._say("session.updated")))

    def somebody_else(self) -> None:
        path = self._rng.choice(list(CHOICES))
        self.state[path] = self._rng.choice([v for v in CHOICES[path] if _is_whole(v)])
        self.line.append((None, self._say("session.updated")))


def _is_whole(value: Any) -> bool:
    return not isinstance(value, dict) or "type" in value


class Play:
    """One interleaving."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.now = 0.0
        self.asked: dict[str, Leaves] = {}
        self.outcomes: dict[str, Any] = {}
        self.abandoned: set[str] = set()
        self.mistaken: set[str] = set()
        self.connections = 0
        self.connect()

    def connect(self) -> None:
        self.connections += 1
        self.server = ReferenceServer(self.rng)
        self.core = Protocol(nonce=f"n{self.connections}", now=self.now, open_timeout=1e9)
        _, created = self.server.line.popleft()
        self.core.receive(created, self.now)
        (opened,) = self.core.outcomes()
        assert opened.event_id == self.core.opening

    def step(self) -> None:
        self.rng.choices(
            [self.ask, self.deliver, self.pass_on, self.wait, self.leave, self.meddle, self.break_],
            weights=[30, 30, 25, 6, 4, 4, 1],
        )[0]()
        self.collect()

    def ask(self) -> None:
        paths = self.rng.sample(list(CHOICES), self.rng.randint(1, 3))
        wanted = {path: self.rng.choice(CHOICES[path]) for path in paths}
        event_id = self.core.update(wanted, now=self.now, timeout=10.0)
        self.asked[event_id] = wanted

    def deliver(self) -> None:
        """The next frame of the server reaches the core."""
        if not self.server.line:
            return
        whose, raw = self.server.line.popleft()
        self.core.receive(raw, self.now)
        for outcome in self.core.outcomes():
            if isinstance(outcome.answer, Acknowledgement) and outcome.event_id != whose:
                # It took what was not its own answer; then that shows what was asked, or
                # nothing had to go out.
                assert outcome.answer.ignored == ()
                self.mistaken.add(outcome.event_id)
            self.end(outcome)

    def pass_on(self) -> None:
        """What the core wants to say reaches the server."""
        for frame in self.core.data_to_send():
            self.server.receive(wire.read(frame.raw))

    def wait(self) -> None:
        self.now += self.rng.choice([1.0, 5.0, 30.0])
        self.core.on_deadline(self.now)

    def leave(self) -> None:
        in_flight = [intent.event_id for intent in self.core.config.in_flight]
        if in_flight:
            event_id = self.rng.choice(in_flight)
            self.core.give_up(event_id, self.now)
            self.abandoned.add(event_id)

    def meddle(self) -> None:
        self.server.somebody_else()

    def break_(self) -> None:
        self.core.lost(ConnectionLost("gone"))
        self.collect()
        assert self.core.config.unsent <= set(self.outcomes) | self.abandoned
        self.connect()

    def collect(self) -> None:
        for outcome in self.core.outcomes():
            self.end(outcome)

    def end(self, outcome: Any) -> None:
        assert outcome.event_id in self.asked
        assert outcome.event_id not in self.outcomes, "a second outcome"
        self.outcomes[outcome.event_id] = outcome.error or outcome.answer
        match outcome.error:
            case SessionUpdateRejected():
                assert outcome.event_id in self.server.rejected
            case AcknowledgementTimeout(uncertain=False):
                assert outcome.event_id not in self.server.applied | self.server.rejected
            case None:
                assert isinstance(outcome.answer, Acknowledgement)
                if outcome.event_id in self.server.rejected - self.mistaken:
                    # The refusal was later than somebody else's change could be told from an
                    # answer. The caller has been told that the values are not in force.
                    assert outcome.answer.ignored
            case _:
                assert isinstance(outcome.error, RealtimeError)

    def finish(self) -> None:
        """Everything calms down: the server answers, nothing is left on the way."""
        self.server.well_behaved = True
        for last in ("x", "y", "z"):
            self.settle()
            self.now += 100.0
            self.core.on_deadline(self.now)
            self.collect()
            last_asked: Leaves = {("instructions",): last}
            event_id = self.core.update(last_asked, now=self.now, timeout=10.0)
            self.asked[event_id] = last_asked
        self.settle()

    def settle(self) -> None:
        while True:
            self.pass_on()
            self.collect()
            if not self.server.line and not self.core.config.in_flight:
                return
            self.deliver()
            self.now += 0.1
            self.core.on_deadline(self.now)

    def check(self) -> None:
        config = self.core.config
        assert config.acknowledged is not None
        assert asked_by(config.acknowledged) == self.server.state
        assert config.in_flight == ()
        assert leaves(config.desired) == self.server.state
        assert self.outcomes.keys() <= self.asked.keys()
        assert self.asked.keys() - self.outcomes.keys() <= self.abandoned


def play(seed: int) -> None:
    one = Play(seed)
    for _ in range(40):
        one.step()
    one.finish()
    one.check()


@pytest.mark.parametrize("block", range(10))
def test_interleavings(block: int) -> None:
    for seed in range(block * 40, (block + 1) * 40):
        play(seed)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_ten_thousand_interleavings() -> None:
    for seed in range(1_000_000, 1_010_000):
        play(seed)
