"""The budget of tries: counted, bounded in time, and whole again only after a healthy while."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_client.errors import UsageError
from realtime_client.reconnect import DROP, Budget, OutageAudio, Reconnect, keep

seconds = st.floats(0.001, 200.0)
chances = st.floats(0.0, 1.0)
policies = st.builds(
    Reconnect,
    tries=st.integers(1, 12),
    total=seconds,
    first=st.floats(0.0, 30.0),
    longest=st.floats(0.0, 30.0),
    healthy=seconds,
)


def delays(budget: Budget, now: float, *, chance: float = 0.0, opens: float = 0.0) -> list[float]:
    """The pauses of one outage in which every try fails after some seconds."""
    budget.on_lost(now)
    found = []
    while (delay := budget.next_delay(now, chance)) is not None:
        found.append(delay)
        now += delay + opens
    return found


# -- what a policy can be -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[("tries", value) for value in (0, -1, 1.5, True, "8")],
        *[("total", value) for value in (0, -1.0, math.nan, True, "60")],
        *[(name, -0.1) for name in ("first", "longest", "healthy")],
        *[(name, math.nan) for name in ("first", "longest", "healthy")],
        *[("audio", value) for value in (5_000, None, "drop")],
    ],
)
def test_what_cannot_be_is_refused_by_its_name(field: str, value: Any) -> None:
    with pytest.raises(UsageError, match=field):
        Reconnect(**{field: value})


@pytest.mark.parametrize("ms", [-1, 60_001, 0.5, True, "1", None])
def test_audio_that_cannot_be_kept(ms: Any) -> None:
    with pytest.raises(UsageError, match="audio kept in an outage"):
        keep(ms)


def test_the_bounds_are_allowed() -> None:
    Reconnect(tries=1, total=math.inf, first=0, longest=0, healthy=0, audio=DROP)
    assert (keep(0), keep(60_000).ms, DROP) == (DROP, 60_000, OutageAudio(0))


# -- how often, and for how long --------------------------------------------------------------


def test_pauses_double_up_to_the_longest() -> None:
    budget = Budget(Reconnect(tries=7, total=1_000.0, first=1.0, longest=10.0))
    assert delays(budget, 100.0) == [1, 2, 4, 8, 10, 10, 10]
    assert budget.tried == 7


def test_chance_takes_up_to_a_half() -> None:
    policy = Reconnect(tries=3, total=1_000.0, first=1.0)
    assert delays(Budget(policy), 0.0, chance=1.0) == [0.5, 1.0, 2.0]
    assert delays(Budget(policy), 0.0, chance=0.5) == [0.75, 1.5, 3.0]


def test_no_try_begins_when_the_time_is_over() -> None:
    policy = Reconnect(tries=100, total=10.0, first=1.0, longest=3.0)
    assert delays(Budget(policy), 50.0) == [1, 2, 3, 3]
    assert delays(Budget(policy), 50.0, opens=3.0) == [1, 2]
    assert delays(Budget(Reconnect(total=1.0, first=1.0)), 0.0) == []
    assert delays(Budget(Reconnect(total=1.0, first=1.0)), 0.0, chance=0.1) == [0.95]


def test_a_server_that_asks_for_time_gets_it_as_far_as_there_is_any() -> None:
    budget = Budget(Reconnect(tries=5, total=30.0, first=1.0))
    budget.on_lost(0.0)
    assert budget.next_delay(0.0, 1.0, asked=7.0) == 7.0
    assert budget.next_delay(7.0, 0.0, asked=0.5) == 2.0, "no less than it would have been"
    assert budget.next_delay(9.0, 0.0, asked=21.0) is None
    assert budget.tried == 2


def test_the_time_counts_from_the_loss() -> None:
    budget = Budget(Reconnect(total=10.0))
    assert budget.left(3.0) == math.inf
    budget.on_lost(50.0)
    assert [budget.left(now) for now in (50.0, 54.0, 60.0, 99.0)] == [10.0, 6.0, 0.0, 0.0]
    budget.on_lost(58.0)
    assert budget.left(58.0) == 2.0, "one outage has one time"


def test_tries_without_end_have_no_pause_without_end() -> None:
    budget = Budget(Reconnect(tries=5_000, total=math.inf, first=1.0, longest=math.inf))
    budget.on_lost(0.0)
    found = [budget.next_delay(0.0, 0.0) for _ in range(200)]
    assert found[:3] == [1.0, 2.0, 4.0]
    assert found[-1] == 2.0**64


# -- when it is whole again -------------------------------------------------------------------


def test_a_connection_that_opens_and_drops_gives_nothing_back() -> None:
    budget = Budget(Reconnect(tries=5, total=1e6, first=0.0, longest=0.0, healthy=30.0))
    now, tries = 0.0, 0
    budget.on_lost(now)
    while budget.next_delay(now, 0.0) is not None:
        tries += 1
        budget.on_open(now)
        now += 29.9
        budget.on_lost(now)
    assert tries == 5


def test_opening_alone_does_not_lengthen_the_time() -> None:
    budget = Budget(Reconnect(tries=1_000, total=60.0, first=0.0, longest=0.0, healthy=30.0))
    budget.on_lost(0.0)
    budget.on_open(1.0)
    budget.on_lost(2.0)
    assert budget.left(2.0) == 58.0


def test_after_a_healthy_while_it_is_whole_at_the_next_loss() -> None:
    budget = Budget(Reconnect(tries=2, total=60.0, first=1.0, healthy=30.0))
    assert len(delays(budget, 0.0)) == 2
    budget.on_open(10.0)
    assert budget.next_delay(39.0, 0.0) is None, "not before"
    budget.on_lost(40.0)
    assert (budget.tried, budget.left(40.0)) == (0, 60.0)
    assert delays(budget, 40.0) == [1, 2]


def test_one_healthy_while_counts_once() -> None:
    budget = Budget(Reconnect(tries=2, total=60.0, first=1.0, healthy=30.0))
    budget.on_open(0.0)
    budget.on_lost(100.0)
    budget.next_delay(100.0, 0.0)
    budget.on_lost(200.0)
    assert budget.tried == 1, "there was no connection in between"
    assert budget.left(155.0) == 5.0


def test_a_first_connection_that_never_opened_counts_too() -> None:
    assert len(delays(Budget(Reconnect(tries=3, first=0.0, longest=0.0)), 7.0)) == 3


# -- whatever the policy is -------------------------------------------------------------------


@given(policy=policies, now=st.floats(0, 1e6), rolls=st.lists(chances, min_size=1, max_size=15))
def test_an_outage_ends_in_time_and_after_so_many_tries(
    policy: Reconnect, now: float, rolls: list[float]
) -> None:
    budget, begun = Budget(policy), now
    budget.on_lost(now)
    for before, roll in enumerate(rolls * 2):
        delay = budget.next_delay(now, roll)
        if delay is None:
            assert budget.tried == before
            break
        most = min(policy.longest, policy.first * 2**before)
        assert most / 2 <= delay <= most
        now += delay
        assert now < begun + policy.total
        assert budget.tried == before + 1 <= policy.tries


outages = st.lists(
    st.tuples(st.sampled_from(["try", "open", "lose"]), st.floats(0.0, 60.0), chances), max_size=60
)


@given(policy=policies, steps=outages)
def test_no_order_of_events_gives_more_tries_than_there_are_between_two_healthy_whiles(
    policy: Reconnect, steps: list[tuple[str, float, float]]
) -> None:
    budget, now, tries, first, opened = Budget(policy), 0.0, 0, math.inf, None
    for what, passes, chance in steps:
        now += passes
        if what == "open":
            opened = now
            budget.on_open(now)
        elif what == "lose":
            if opened is not None and now >= opened + policy.healthy:
                tries, first = 0, math.inf
            first, opened = min(first, now), None
            budget.on_lost(now)
        elif budget.next_delay(now, chance) is not None:
            tries += 1
            assert tries <= policy.tries
            assert now < first + policy.total
        assert budget.tried == tries
