"""Numbers and choices that a caller gives."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from realtime_client.errors import UsageError
from realtime_client.given import check_choice, check_seconds, check_whole

NO_NUMBERS: list[Any] = [None, "60", "", True, False, float("nan"), [1], b"1", 1j, object()]


@pytest.mark.parametrize("value", [0.001, 1, 60.0, float("inf"), np.float32(0.5), Fraction(1, 2)])
@pytest.mark.parametrize("zero", [True, False])
def test_seconds(value: Any, zero: bool) -> None:
    check_seconds("wait", value, zero=zero)


@pytest.mark.parametrize("value", [*NO_NUMBERS, -1, -0.001, float("-inf"), np.bool_(True)])
@pytest.mark.parametrize("zero", [True, False])
def test_no_seconds(value: Any, zero: bool) -> None:
    with pytest.raises(UsageError, match=r"^wait is in seconds, .*; got .*"):
        check_seconds("wait", value, zero=zero)


@pytest.mark.parametrize("value", [0, 0.0])
def test_no_time_at_all_is_said_to_be_allowed_or_not(value: Any) -> None:
    check_seconds("wait", value, zero=True)
    with pytest.raises(UsageError, match=r"^wait is in seconds, more than 0; got 0(\.0)?; nothing"):
        check_seconds("wait", value, zero=False)
    with pytest.raises(UsageError, match=r"^wait is in seconds, 0 or more; got -1; nothing"):
        check_seconds("wait", -1, zero=True)


@pytest.mark.parametrize("value", [2, 3, 7, np.int64(3)])
def test_whole_numbers(value: Any) -> None:
    check_whole("count", value, 2, 7)
    check_whole("count", value, 2)


@pytest.mark.parametrize("value", [*NO_NUMBERS, 1, 2.0, float("inf"), np.bool_(True)])
def test_no_whole_numbers(value: Any) -> None:
    with pytest.raises(UsageError, match=r"^count is a whole number, 2 to 1,000; got .*; nothing"):
        check_whole("count", value, 2, 1_000)
    with pytest.raises(UsageError, match=r"^count is a whole number, 2 or more; got .*; nothing"):
        check_whole("count", value, 2)


def test_the_upper_end() -> None:
    check_whole("count", 8, 2)
    with pytest.raises(UsageError, match=r"got 8"):
        check_whole("count", 8, 2, 7)


def test_a_choice() -> None:
    check_choice("how", "a", ("a", "b"))
    for value in ("c", "A", "", None, 1, ["a"], ("a", "b")):
        with pytest.raises(UsageError, match=r"^how is 'a' or 'b'; got "):
            check_choice("how", value, ("a", "b"))
    with pytest.raises(UsageError, match=r"^how is 'a', 'b' or 'c'; got 'd'; nothing was sent$"):
        check_choice("how", "d", ("a", "b", "c"))
