"""What becomes of an event: five verdicts, of which three are told to nobody."""

from __future__ import annotations

from realtime_client import events
from realtime_client.verdicts import (
    DELTAS,
    DUPLICATE,
    ORPHAN,
    SESSION_ROUTE,
    STRAY,
    Route,
    Verdict,
)


def test_every_event_with_a_delta_of_a_response_is_one_of_what_is_said() -> None:
    kinds = [getattr(events, name) for name in events.__all__]
    said = {
        kind
        for kind in kinds
        if isinstance(kind, type)
        and "delta" in getattr(kind, "__struct_fields__", ())
        and "response_id" in getattr(kind, "__struct_fields__", ())
    }
    assert said == DELTAS
    assert len(said) == 5


def test_what_nobody_is_told_of() -> None:
    assert {verdict.value for verdict in STRAY} == {"discarded", "orphan", "duplicate"}
    assert {verdict.value for verdict in Verdict} - {verdict.value for verdict in STRAY} == {
        "session",
        "delivered",
    }


def test_the_routes_of_nobody() -> None:
    assert Route(Verdict.SESSION, None, None) == SESSION_ROUTE
    assert Route(Verdict.ORPHAN, None, None) == ORPHAN
    assert Route(Verdict.DUPLICATE, None, None) == DUPLICATE
