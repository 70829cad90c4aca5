"""When a request is sent again: what is known of the first, how long, how often."""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_client.errors import UsageError
from realtime_client.patience import retry_after
from realtime_client.rest import retry
from realtime_client.rest.retry import REPEATABLE, Fate, Retry, fate_of
from tests.test_layers import IO, imports

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
WALL = NOW.timestamp()


def http_date(seconds: float) -> str:
    return format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("status", "fate"),
    [
        (100, Fate.FINAL), (301, Fate.FINAL), (307, Fate.FINAL), (399, Fate.FINAL),
        (400, Fate.FINAL), (401, Fate.FINAL), (403, Fate.FINAL), (404, Fate.FINAL),
        (409, Fate.FINAL), (499, Fate.FINAL), (600, Fate.FINAL),
        (408, Fate.UNDONE), (425, Fate.UNDONE), (429, Fate.UNDONE),
        (500, Fate.UNKNOWN), (502, Fate.UNKNOWN), (503, Fate.UNKNOWN), (504, Fate.UNKNOWN),
        (599, Fate.UNKNOWN),
    ],
)  # fmt: skip
def test_what_a_status_says(status: int, fate: Fate) -> None:
    assert fate_of(status, named=(None, None), wait=None) is fate


def test_503_that_says_when_was_not_worked_on() -> None:
    assert fate_of(503, named=(None, None), wait=0.0) is Fate.UNDONE
    assert fate_of(500, named=(None, None), wait=0.0) is Fate.UNKNOWN


@pytest.mark.parametrize("status", [429, 500, 503])
@pytest.mark.parametrize("named", [("insufficient_quota", None), (None, "insufficient_quota")])
def test_a_fatal_error_is_final_whatever_its_status(
    status: int, named: tuple[str | None, str | None]
) -> None:
    assert fate_of(status, named=named, wait=1.0) is Fate.FINAL


def test_the_policy_has_no_clock_no_chance_and_no_network() -> None:
    """It is among modules that have, so the rule of the house does not look at it."""
    for name, _ in imports(Path(retry.__file__)):
        assert name.split(".")[0] not in IO
        assert name not in ("realtime_client.rest.line", "realtime_client.rest.failures")


def test_only_what_ends_a_call_may_be_done_twice() -> None:
    assert {what for what, twice in REPEATABLE.items() if twice} == {"calls.reject", "calls.hangup"}


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": " 2.5 "}, 2.5),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "inf"}, math.inf),
        ({"retry-after": "1e999"}, math.inf),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after-ms": "x", "retry-after": "9"}, 9.0),
        ({"retry-after": http_date(20)}, 20.0),
        ({"retry-after": http_date(-20)}, 0.0),
        ({"retry-after": http_date(7_220), "date": http_date(7_200)}, 20.0),
        ({"retry-after": http_date(20), "date": "yesterday"}, 20.0),
        ({"retry-after": http_date(20).replace("GMT", "-0000")}, 20.0),
        ({"retry-after": http_date(7_220).replace("GMT", "+0200")}, 20.0),
        ({"retry-after": "Sat, 40 Nov 2026 03:00:00 GMT"}, None),
        ({"retry-after": "Sat, 21 Nov 99999 03:00:00 GMT"}, None),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, WALL) == seconds


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="the zone cannot be changed here")
def test_a_date_without_a_zone_is_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        date = http_date(20).replace("GMT", "-0000")
        assert retry_after({"retry-after": date}, WALL) == 20.0
    finally:
        monkeypatch.undo()
        time.tzset()


@given(st.dictionaries(st.sampled_from(["retry-after", "retry-after-ms", "date"]), st.text()))
def test_whatever_stands_there_it_is_a_time_or_nothing(headers: dict[str, str]) -> None:
    seconds = retry_after(headers, WALL)
    assert seconds is None or seconds >= 0


def test_pauses_double_up_to_the_longest() -> None:
    policy = Retry(tries=9, first=0.5, longest=4.0)
    assert [policy.delay(tried, 60, 0.0, None) for tried in range(1, 7)] == [
        0.5, 1.0, 2.0, 4.0, 4.0, 4.0,
    ]  # fmt: skip
    assert Retry(tries=10_000, first=0.5).delay(9_000, 60, 0.0, None) == 8.0


@given(st.floats(0, 1))
def test_chance_takes_up_to_a_half_of_a_pause(chance: float) -> None:
    delay = Retry(first=1.0).delay(1, 60, chance, None)
    assert delay == 1 - chance / 2


def test_no_more_tries_than_were_allowed() -> None:
    assert Retry(tries=3).delay(2, 60, 0.0, None) is not None
    assert Retry(tries=3).delay(3, 60, 0.0, None) is None
    assert Retry(tries=1).delay(1, 60, 0.0, 0.0) is None


def test_what_the_server_asks_for_is_the_least() -> None:
    policy = Retry(first=1.0)
    assert policy.delay(1, 60, 0.0, 5.0) == 5.0
    assert policy.delay(1, 60, 0.0, 0.0) == 1.0


@pytest.mark.parametrize("asked", [math.inf, 10.0, 11.0])
def test_nothing_is_waited_for_that_would_end_too_late(asked: float) -> None:
    assert Retry().delay(1, 10.0, 0.0, asked) is None
    assert Retry().delay(1, 10.0, 0.0, 9.9) == 9.9
    assert Retry(first=20, longest=20).delay(1, 10.0, 0.0, None) is None


def test_no_pause_is_one() -> None:
    assert Retry(first=0, longest=0).delay(1, 10.0, 0.0, None) == 0.0


@pytest.mark.parametrize(
    "wrong", [{"tries": 0}, {"tries": 1.5}, {"total": 0}, {"first": -1}, {"longest": math.nan}]
)
def test_numbers_that_cannot_be(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        Retry(**wrong)  # type: ignore[arg-type]  # on purpose
