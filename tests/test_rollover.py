"""When a connection is replaced before its session ends: between which times, however short."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_client.errors import UsageError
from realtime_client.rollover import LONGEST_REPLAY, Moments, Rollover, moments

HOUR = 3_600.0
times = st.floats(0.0, 10_000.0)
policies = st.builds(
    Rollover,
    age=st.none() | st.floats(0.001, 10_000.0),
    window=times,
    margin=times,
    replay=st.floats(0.0, LONGEST_REPLAY),
)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[("age", value) for value in (0, -1.0, math.nan, True, "1")],
        *[(name, value) for name in ("window", "margin") for value in (-0.1, math.nan, "1")],
        *[("replay", value) for value in (-0.1, math.nan, 600.1, math.inf)],
    ],
)
def test_what_cannot_be_is_refused_by_its_name(field: str, value: Any) -> None:
    with pytest.raises(UsageError, match=field):
        Rollover(**{field: value})


def test_the_bounds_are_allowed() -> None:
    Rollover(age=None, window=0, margin=0, replay=0)
    Rollover(age=1e-9, window=math.inf, margin=math.inf, replay=600)


def test_an_hour_is_looked_at_from_its_end() -> None:
    assert moments(Rollover(), 1_000.0, HOUR) == Moments(1_000 + 3_280, 1_000 + 3_580)
    early = Rollover(window=60.0, margin=5.0)
    assert moments(early, 0.0, HOUR) == Moments(3_535, 3_595)


def test_without_an_end_only_an_age_says_when() -> None:
    assert moments(Rollover(), 0.0, None) is None
    assert moments(Rollover(age=1_200.0, window=100.0), 7.0, None) == Moments(1_207, 1_307)
    assert moments(Rollover(age=1.0, window=math.inf), 0.0, None) == Moments(1, math.inf)


def test_an_age_comes_before_the_end_and_the_end_before_the_window() -> None:
    assert moments(Rollover(age=1_200.0), 0.0, HOUR) == Moments(1_200, 1_500)
    assert moments(Rollover(age=3_400.0), 0.0, HOUR) == Moments(3_400, 3_580)


def test_an_age_that_no_session_reaches_is_none() -> None:
    """Looked for only at the end, the last moment would be the first, whoever speaks."""
    assert moments(Rollover(age=3_590.0), 0.0, HOUR) == moments(Rollover(), 0.0, HOUR)
    assert moments(Rollover(age=3_580.0), 0.0, HOUR) == moments(Rollover(), 0.0, HOUR)


def test_in_the_first_half_of_a_session_no_other_is_looked_for() -> None:
    """Or each would be replaced as soon as it is there, for ever."""
    assert moments(Rollover(), 100.0, 60.0) == Moments(130, 145)
    assert moments(Rollover(margin=1.0), 0.0, 2.0) == Moments(1.0, 1.5)
    assert moments(Rollover(window=math.inf, margin=math.inf), 0.0, 100.0) == Moments(50, 75)


def test_a_short_age_is_as_it_was_asked_for() -> None:
    assert moments(Rollover(age=0.5, window=0.0), 0.0, HOUR) == Moments(0.5, 0.5)


@given(policy=policies, opened=times, length=st.none() | st.floats(0.1, 10_000.0))
def test_the_moments_lie_within_the_session_and_in_their_order(
    policy: Rollover, opened: float, length: float | None
) -> None:
    found = moments(policy, opened, length)
    if found is None:
        assert (policy.age, length) == (None, None)
        return
    assert opened < found.first <= found.latest
    if length is not None:
        rounding = 1e-6 * (1 + opened + length)
        assert found.latest <= opened + length + rounding
        assert found.latest >= opened + length * 0.75 - rounding or policy.age is not None
        ends = opened + length - policy.margin + rounding
        assert found.latest <= ends or policy.margin > length / 4
        aged = policy.age is not None and found.first == opened + policy.age
        assert aged or found.first >= opened + length / 2 - rounding
