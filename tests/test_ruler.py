"""Where a byte lies in samples and on the server's clock, whatever the formats were."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_client.ruler import PCM, Form, Ruler

ULAW = Form("audio/pcmu", 8_000, 1)
ALAW = Form("audio/pcma", 8_000, 1)
SLOW = Form("audio/pcm", 16_000, 2)
ODD = Form("audio/pcm", 22_050, 2)
forms = st.sampled_from([PCM, ULAW, ALAW, SLOW])


def test_it_begins_in_what_every_server_takes() -> None:
    ruler = Ruler()
    assert (ruler.form, ruler.start) == (PCM, 0)
    assert (ruler.samples(9_601), ruler.ms(9_601), ruler.position(200)) == (4_800, 200, 9_600)


@pytest.mark.parametrize("form", [PCM, ULAW, SLOW, ODD])
def test_a_second_is_a_second(form: Form) -> None:
    ruler = Ruler()
    ruler.change(0, form)
    size = form.rate * form.width
    assert (ruler.size(1_000), ruler.samples(size), ruler.ms(size)) == (size, form.rate, 1_000)
    assert ruler.position(1_000) == size
    assert ruler.size(0) == 0


def test_a_rate_that_no_millisecond_divides_does_not_drift() -> None:
    ruler = Ruler()
    ruler.change(0, ODD)
    assert ruler.position(3_600_000) == 22_050 * 3_600 * 2
    assert ruler.ms(22_050 * 3_600 * 2) == 3_600_000


@given(
    changes=st.lists(st.tuples(st.integers(0, 50), forms), max_size=6),
    ms=st.integers(0, 4_000),
)
def test_every_scale_goes_on_from_one_format_to_the_next(
    changes: list[tuple[int, Form]], ms: int
) -> None:
    """Each format lasts for so many tens of milliseconds; in the last one there is no end."""
    ruler, position, samples, passed = Ruler(), 0, 0, 0
    form = PCM
    for tens, following in changes:
        count = form.rate * tens // 100
        position, samples, passed = (
            position + count * form.width,
            samples + count,
            passed + count * 1_000 // form.rate,
        )
        assert (ruler.samples(position), ruler.ms(position)) == (samples, passed)
        ruler.change(position, following)
        form = following
        assert (ruler.form, ruler.samples(position)) == (form, samples)
        assert ruler.ms(position) == passed
    place = ruler.position(ms)
    assert ruler.ms(place) == ms


@given(changes=st.lists(st.tuples(st.integers(1, 50), forms), max_size=6))
def test_a_later_time_lies_never_before_an_earlier_one(changes: list[tuple[int, Form]]) -> None:
    ruler, position = Ruler(), 0
    for tens, form in changes:
        position += ruler.size(10 * tens)
        ruler.change(position, form)
    places = [ruler.position(ms) for ms in range(0, 3_100, 7)]
    assert places == sorted(places)


def test_a_format_in_which_nothing_was_said_leaves_no_trace() -> None:
    ruler = Ruler()
    ruler.change(0, ULAW)
    ruler.change(0, SLOW)
    assert (len(ruler._stretches), ruler.form) == (1, SLOW)
    ruler.change(320, SLOW)
    assert (len(ruler._stretches), ruler.start) == (1, 0)


def test_the_two_kinds_of_telephony_are_two_formats() -> None:
    ruler = Ruler()
    ruler.change(0, ULAW)
    ruler.change(80, ALAW)
    assert (ruler.start, ruler.form, ruler.samples(160)) == (80, ALAW, 160)


def test_what_nobody_asks_for_is_forgotten_and_the_rest_stays_as_it_was() -> None:
    ruler = Ruler()
    ruler.change(4_800, ULAW)  # 100 ms
    ruler.change(5_600, SLOW)  # 100 ms
    before = [ruler.samples(6_000), ruler.ms(6_000), ruler.position(205)]
    ruler.forget(4_799)
    assert len(ruler._stretches) == 3
    ruler.forget(5_600)
    assert len(ruler._stretches) == 1
    assert [ruler.samples(6_000), ruler.ms(6_000), ruler.position(205)] == before
    ruler.forget(10_000)
    assert ruler.form == SLOW


def test_a_sample_is_never_torn() -> None:
    ruler = Ruler()
    assert [ruler.aligned(place) for place in (0, 1, 2, 3)] == [0, 2, 2, 4]
    ruler.change(5, PCM._replace(rate=16_000))
    assert [ruler.aligned(place) for place in (5, 6, 7)] == [5, 7, 7]
    ruler.change(6, ULAW)
    assert ruler.aligned(7) == 7


def test_a_time_of_a_format_that_is_over_lies_in_it() -> None:
    ruler = Ruler()
    ruler.change(4_800, ULAW)
    assert ruler.position(50) == 2_400
    assert ruler.position(99) == 4_752
    assert ruler.position(150) == 4_800 + 400
