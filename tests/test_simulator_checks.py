from __future__ import annotations

from typing import Any

import pytest

from realtime_client.simulator import checks
from realtime_client.simulator.checks import Check
from realtime_client.simulator.refusal import Refusal


def refused(check: Check, value: Any) -> tuple[str, str | None]:
    with pytest.raises(Refusal) as caught:
        check(value, "a.b")
    return caught.value.code, caught.value.param


@pytest.mark.parametrize("value", [1, 0.5, "x", [], {}, True, None])
def test_every_piece_takes_its_own_type_alone(value: Any) -> None:
    pieces: list[tuple[Check, tuple[type, ...]]] = [
        (checks.flag, (bool,)),
        (checks.string(), (str,)),
        (checks.integer(0), (int,)),
        (checks.number(0, 1), (int, float)),
        (checks.array(checks.anything), (list,)),
        (checks.record({}), (dict,)),
        (checks.mapping(checks.anything, pairs=1, key_length=1), (dict,)),
        (checks.shape(string=checks.anything), (str,)),
        (checks.one_of("x"), (str,)),
    ]
    for check, kinds in pieces:
        if type(value) in kinds:
            assert check(value, "a.b") == value
        else:
            assert refused(check, value) == ("invalid_value", "a.b")


def test_null_is_refused_unless_it_is_allowed() -> None:
    assert checks.nullable(checks.flag)(None, "a") is None
    assert checks.nullable(checks.flag)(True, "a") is True
    assert refused(checks.nullable(checks.flag), 1) == ("invalid_value", "a.b")


@pytest.mark.parametrize(
    ("value", "code"),
    [(4, "integer_below_min_value"), (5, None), (9, None), (10, "invalid_value")],
)
def test_integers_have_both_ends(value: int, code: str | None) -> None:
    check = checks.integer(5, 9)
    if code is None:
        assert check(value, "a.b") == value
    else:
        assert refused(check, value) == (code, "a.b")


@pytest.mark.parametrize(("value", "ok"), [(0.24, False), (0.25, True), (1.5, True), (2, False)])
def test_numbers_have_both_ends(value: float, ok: bool) -> None:
    check = checks.number(0.25, 1.5)
    if ok:
        assert check(value, "a.b") == value
    else:
        assert refused(check, value) == ("invalid_value", "a.b")


def test_an_integer_is_a_number_too() -> None:
    kept = checks.number(0, 1)(1, "a")
    assert (kept, type(kept)) == (1.0, float)


def test_strings_have_a_longest() -> None:
    assert checks.string(3)("abc", "a.b") == "abc"
    assert refused(checks.string(3), "abcd") == ("string_above_max_length", "a.b")


def test_records_name_the_field() -> None:
    check = checks.record({"x": checks.flag, "y": checks.flag}, required=("x",))
    assert check({"x": True}, "a.b") == {"x": True}
    assert refused(check, {"y": True}) == ("missing_required_parameter", "a.b.x")
    assert refused(check, {"x": True, "z": 1}) == ("unknown_parameter", "a.b.z")
    assert refused(check, {"x": 1}) == ("invalid_value", "a.b.x")
    with pytest.raises(Refusal) as caught:
        check({}, "")
    assert caught.value.param == "x", "the event itself is the empty path"


def test_variants_choose_by_type() -> None:
    check = checks.variant(
        one=checks.record({"type": checks.anything, "x": checks.flag}), two=checks.anything
    )
    assert check({"type": "one", "x": True}, "a.b") == {"type": "one", "x": True}
    assert check({"type": "two", "q": 1}, "a.b") == {"type": "two", "q": 1}
    assert refused(check, {}) == ("missing_required_parameter", "a.b.type")
    assert refused(check, {"type": "three"}) == ("invalid_value", "a.b.type")
    assert refused(check, {"type": "one", "q": 1}) == ("unknown_parameter", "a.b.q")


def test_lists_name_the_element() -> None:
    check = checks.array(checks.flag)
    with pytest.raises(Refusal) as caught:
        check([True, 1], "a.b")
    assert caught.value.param == "a.b[1]"


def test_mappings_are_bounded() -> None:
    check = checks.mapping(checks.string(2), pairs=2, key_length=3)
    assert check({"abc": "xy", "b": ""}, "m") == {"abc": "xy", "b": ""}
    assert refused(check, {"a": "", "b": "", "c": ""}) == ("invalid_value", "a.b")
    assert refused(check, {"abcd": ""}) == ("string_above_max_length", "a.b")
    assert refused(check, {"a": "xyz"}) == ("string_above_max_length", "a.b.a")
