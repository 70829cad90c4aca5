"""What is said about rate limits, if anything."""

from __future__ import annotations

import pytest

from realtime_client.events import Usage
from realtime_client.simulator import Fail, Say
from realtime_client.simulator.limits import TOKENS_A_MINUTE, rate_limits
from tests.simulated import Sim, of, one, scripted, types


def test_nothing_is_said_by_default() -> None:
    assert not of(Sim(pace="fast").respond(), "rate_limits.updated")


def test_tokens_alone_after_every_response() -> None:
    sim = Sim(scripted([Say("Hi")], [Fail("x", "y")]), pace="fast", rate_limits=True)
    for _ in range(2):
        frames = sim.respond()
        assert types(frames)[-2:] == ["response.done", "rate_limits.updated"]
        used = frames[-2]["response"]["usage"]["total_tokens"]
        (tokens,) = one(frames, "rate_limits.updated")["rate_limits"]
        assert tokens == {
            "name": "tokens",
            "limit": TOKENS_A_MINUTE,
            "remaining": TOKENS_A_MINUTE - used,
            "reset_seconds": pytest.approx(60 * used / TOKENS_A_MINUTE),
        }
        assert used > 0


def test_after_a_cancelled_response_too() -> None:
    sim = Sim(scripted([Say("A long answer")]), pace="realtime", rate_limits=True)
    sim.respond()
    assert types(sim.send("response.cancel"))[-2:] == ["response.done", "rate_limits.updated"]


@pytest.mark.parametrize(
    ("used", "remaining", "reset"),
    [(0, 40_000, 0.0), (10_000, 30_000, 15.0), (40_000, 0, 60.0), (90_000, 0, 60.0)],
)
def test_what_is_left(used: int, remaining: int, reset: float) -> None:
    (tokens,) = rate_limits(Usage(total_tokens=used)).rate_limits or ()
    assert (tokens.remaining, tokens.reset_seconds) == (remaining, reset)
