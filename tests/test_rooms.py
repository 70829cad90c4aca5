"""How a client goes about it: what cannot be is refused when the client is made."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest

from realtime_client import Client
from realtime_client.audio import QUALITIES
from realtime_client.errors import UsageError
from realtime_client.rooms import HOW_WELL

NAN, INFINITE = float("nan"), float("inf")


def made(**options: Any) -> Client:
    return Client(endpoint="ws://localhost/r", **options)


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        *(
            (name, value, "in seconds, more than 0")
            for name in ("response_timeout", "open_timeout", "tool_timeout")
            for value in (0, -1, NAN, None, "60", True)
        ),
        *(("close_timeout", value, "in seconds, 0 or more") for value in (-1, NAN, None, "2")),
        *(
            (name, value, "a whole number, 1 or more")
            for name in ("max_items", "max_calls")
            for value in (0, -1, 1.5, None, "16", True, INFINITE)
        ),
        *(("max_rounds", value, "a whole number, 0 or more") for value in (-1, 0.5, None, False)),
        *(
            ("chunk_ms", value, "a whole number, 20 to 1,000")
            for value in (19, 1_001, 100.0, None, "100", True)
        ),
        ("quality", "hq", "'QQ', 'LQ', 'MQ', 'HQ', 'VHQ' or 'low_delay'"),
        ("quality", None, "'QQ', 'LQ', 'MQ', 'HQ', 'VHQ' or 'low_delay'"),
        ("on_short_commit", "raise", "'pad' or 'error'"),
        ("on_short_commit", None, "'pad' or 'error'"),
        ("unheard", "keep", "'truncate' or 'delete'"),
        ("unheard", None, "'truncate' or 'delete'"),
    ],
)
def test_a_client_that_could_not_work_is_not_made(name: str, value: Any, what: str) -> None:
    with pytest.raises(UsageError) as caught:
        made(**{name: value})
    assert str(caught.value) == f"{name} is {what}; got {value!r}; nothing was sent"
    gc.collect()  # it shows itself in nobody's way, half made as it is


@pytest.mark.parametrize(
    "options",
    [
        {"response_timeout": 0.001, "open_timeout": 0.001, "tool_timeout": 0.001},
        {"response_timeout": INFINITE, "open_timeout": INFINITE, "tool_timeout": INFINITE},
        {"close_timeout": 0, "max_items": 1, "max_calls": 1, "max_rounds": 0},
        {"chunk_ms": 20, "on_short_commit": "error", "unheard": "delete"},
        {"chunk_ms": np.int64(1_000)},
        *({"quality": quality} for quality in QUALITIES),
    ],
)
def test_the_ends_of_each_range_are_within_it(options: Any) -> None:
    made(**options)


def test_the_qualities_are_those_of_the_audio() -> None:
    assert HOW_WELL == QUALITIES
