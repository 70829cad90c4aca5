"""The four things that can be asked for."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_client.errors import UsageError
from realtime_client.targets import Target


def test_each_kind_has_its_own_field_and_no_other() -> None:
    assert Target.realtime("m") == Target("realtime", model="m")
    assert Target.transcription() == Target("transcription")
    assert Target.translation("m") == Target("translation", model="m")
    assert Target.sideband("rtc_1") == Target("sideband", call_id="rtc_1")
    assert len({Target.realtime("m"), Target.realtime("m"), Target.translation("m")}) == 2


@pytest.mark.parametrize(
    "fields",
    [
        ("realtime",),
        ("realtime", ""),
        ("realtime", " "),
        ("realtime", "m", "rtc_1"),
        ("transcription", "m"),
        ("transcription", None, "rtc_1"),
        ("translation",),
        ("sideband",),
        ("sideband", "m"),
        ("sideband", "m", "rtc_1"),
        ("sideband", None, ""),
        ("realtime", 5),
    ],
)
def test_what_does_not_go_together_is_refused(fields: Any) -> None:
    with pytest.raises(UsageError, match=f"a session of kind '{fields[0]}'"):
        Target(*fields)


@pytest.mark.parametrize(
    ("target", "query"),
    [
        (Target.realtime("m"), ("model", "m")),
        (Target.transcription(), ("intent", "transcription")),
        (Target.translation("m"), ("model", "m")),
        (Target.sideband("rtc_1"), ("call_id", "rtc_1")),
    ],
)
def test_how_the_query_says_it(target: Target, query: tuple[str, str]) -> None:
    assert target.query == query
