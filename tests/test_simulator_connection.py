"""One connection as the server has it: what can be done to it, without anything to carry it."""

from __future__ import annotations

from math import inf
from typing import Any

import msgspec
import pytest

from realtime_client.events import ErrorDetails
from realtime_client.simulator import (
    Close,
    Drop,
    Ending,
    Freeze,
    Hello,
    Ignore,
    Mishap,
    Refuse,
    ServerConnection,
    SimulatedSession,
    SimulatorPolicy,
    redirect,
)
from realtime_client.simulator.connection import Out, Party

CLEAR = b'{"type":"input_audio_buffer.clear"}'
CREATE = b'{"type":"response.create"}'
HELLO = Hello(model="m")


class Carrier:
    """Carries the frames of one connection by hand, at a time that is set by hand."""

    def __init__(
        self, mishap: Mishap | None = None, *, party: Party | None = None, **policy: Any
    ) -> None:
        self.now = 100.0
        self.rung = 0
        if party is None:
            session = SimulatedSession(SimulatorPolicy(**policy))
            session.start(self.now)
            party = Party(session)
        self.party = party
        self.connection = ServerConnection(party, now=lambda: self.now, hello=HELLO, mishap=mishap)
        self.connection.wake = self._ring

    def _ring(self) -> None:
        self.rung += 1

    def take(self) -> list[dict[str, Any]]:
        return [msgspec.json.decode(out.data) for out in self.connection.take()]

    def ending(self) -> Ending | None:
        return self.connection.ending

    def ended(self) -> Ending | None:
        return self.connection.ended

    def stalled(self) -> tuple[float | None, float | None]:
        return self.connection.deaf_until, self.connection.mute_since

    def types(self) -> list[str]:
        return [frame["type"] for frame in self.take()]


# --- as it should be -------------------------------------------------------------------


def test_a_connection_hears_its_session_and_is_heard() -> None:
    carrier = Carrier()
    assert carrier.types() == ["session.created"]
    carrier.connection.receive(CLEAR)
    assert carrier.rung == 1
    assert carrier.types() == ["input_audio_buffer.cleared"]
    assert carrier.types() == []
    carrier.connection.receive(CLEAR, binary=True)
    assert carrier.take()[0]["error"]["code"] == "invalid_event"
    assert carrier.ending() is None
    assert not carrier.connection.dropped


def test_it_wants_to_be_asked_again_when_its_session_does() -> None:
    carrier = Carrier(created_after=0.5, expires_after=60)
    carrier.types()
    assert carrier.connection.next_deadline() == 160.0
    carrier.connection.receive(CREATE)
    assert carrier.types() == []
    assert carrier.connection.next_deadline() == 100.5
    carrier.now = 100.5
    assert carrier.types()[0] == "response.created"


def test_the_end_of_the_session_is_the_end_of_it_once_everything_is_said() -> None:
    carrier = Carrier(expires_after=60)
    carrier.types()
    carrier.now = 160.0
    assert carrier.ending() is None
    assert carrier.types() == ["error"]
    assert carrier.ending() == Ending(1001, "session_expired")
    assert carrier.connection.next_deadline() is None


def test_what_ended_it_first_is_what_counts() -> None:
    carrier = Carrier()
    assert carrier.ended() is None
    carrier.connection.leave(Ending(1000, "bye"))
    carrier.connection.leave(Ending(None))
    assert carrier.ended() == (1000, "bye")
    carrier.party.ring()
    assert carrier.rung == 0, "it hears no more"


# --- by hand ---------------------------------------------------------------------------


def test_a_drop_takes_with_it_what_was_queued() -> None:
    carrier = Carrier()
    carrier.connection.say("{}")
    carrier.connection.drop()
    assert carrier.connection.dropped
    assert carrier.ending() == Ending(None)
    assert carrier.rung == 2
    assert carrier.types() == []
    carrier.connection.receive(CLEAR)
    assert carrier.types() == []


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("insufficient_quota", "insufficient_quota"),
        (ErrorDetails(type="server_error", code="x", message="m"), "x"),
    ],
)
def test_a_close_comes_after_its_error(error: ErrorDetails | str, code: str) -> None:
    carrier = Carrier()
    carrier.types()
    carrier.connection.say("{}")
    carrier.connection.close(1011, "no more", error)
    assert carrier.rung == 2
    assert carrier.ending() is None, "what is queued comes first"
    _, said = carrier.take()
    assert said["type"] == "error"
    assert said["error"]["code"] == code
    assert said["error"]["message"]
    assert said["event_id"]
    assert carrier.ending() == Ending(1011, "no more")
    assert not carrier.connection.dropped


def test_a_close_says_nothing_more_of_the_session() -> None:
    carrier = Carrier()
    carrier.types()
    carrier.connection.close(1008, "pool full")
    carrier.connection.receive(CREATE)
    assert carrier.types() == []
    assert list(carrier.connection.session.received) == []
    assert carrier.connection.next_deadline() is None


def test_a_close_stops_the_clockwork() -> None:
    carrier = Carrier(created_after=0.5)
    carrier.types()
    carrier.connection.receive(CREATE)
    carrier.connection.close(1000)
    carrier.now += 1
    assert carrier.types() == []
    assert not carrier.connection.session.responses.speaking, "nobody has been asked"


def test_the_first_close_counts_but_a_drop_is_a_drop() -> None:
    carrier = Carrier()
    carrier.connection.close(1008)
    carrier.connection.close(1011, error="late")
    assert carrier.types() == []
    assert carrier.ending() == Ending(1008)
    carrier.connection.drop()
    assert carrier.ending() == Ending(None)
    carrier.connection.close(1000)
    assert carrier.connection.dropped


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 5000])
def test_a_code_that_no_close_frame_can_have(code: int) -> None:
    carrier = Carrier()
    with pytest.raises(ValueError, match=str(code)):
        carrier.connection.close(code)
    assert carrier.ending() is None


def test_a_reason_that_is_too_long() -> None:
    assert Close(1000, "ü" * 61 + "x").reason
    with pytest.raises(ValueError, match="123"):
        Close(1000, "ü" * 62)


@pytest.mark.parametrize(
    ("data", "binary", "expected"),
    [
        ("{", False, Out("text", b"{")),
        (b"\xff\xfe", False, Out("text", b"\xff\xfe")),
        (b"\x00", True, Out("binary", b"\x00")),
    ],
)
def test_anything_can_be_said(data: bytes | str, binary: bool, expected: Out) -> None:
    carrier = Carrier()
    carrier.types()
    carrier.connection.say(data, binary=binary)
    assert carrier.rung == 1
    assert carrier.connection.take() == [expected]


def test_bytes_below_the_frames_keep_their_place() -> None:
    carrier = Carrier()
    carrier.types()
    carrier.connection.say("1")
    carrier.connection.write(b"\x81\x7e")
    carrier.connection.say("2")
    assert carrier.rung == 3
    assert [out.kind for out in carrier.connection.take()] == ["text", "bytes", "text"]


def test_a_stall_holds_what_is_written_and_the_clockwork_behind_it() -> None:
    carrier = Carrier(created_after=0.5)
    carrier.types()
    carrier.connection.receive(CREATE)
    carrier.connection.stall(2.0)
    assert carrier.rung == 2
    assert carrier.stalled() == (102.0, 100.0)
    carrier.now = 101.9
    assert carrier.types() == []
    assert carrier.connection.next_deadline() == 102.0
    carrier.now = 102.0
    assert carrier.stalled() == (None, None)
    assert carrier.types()[0] == "response.created"


@pytest.mark.parametrize(("reads", "writes"), [(True, False), (False, True)])
def test_one_direction_stalls_alone(reads: bool, writes: bool) -> None:
    carrier = Carrier()
    carrier.connection.stall(1.0, reads=reads, writes=writes)
    assert (carrier.connection.deaf_until is None) is not reads
    assert (carrier.connection.mute_since is None) is not writes
    assert bool(carrier.types()) is not writes


def test_stalls_add_up_to_the_longest() -> None:
    carrier = Carrier()
    carrier.connection.stall(2.0)
    carrier.now = 101.0
    carrier.connection.stall(0.5)
    assert carrier.stalled() == (102.0, 100.0)
    carrier.connection.stall(5.0)
    assert carrier.stalled() == (106.0, 100.0)
    carrier.now = 110.0
    carrier.connection.stall(1.0)
    assert carrier.connection.mute_since == 110.0


@pytest.mark.parametrize("error", ["session_expired", None])
def test_a_close_waits_until_it_may_be_written_and_a_drop_does_not(error: str | None) -> None:
    carrier = Carrier()
    carrier.types()
    carrier.connection.stall(1.0)
    carrier.connection.close(1001, error=error)
    assert carrier.types() == []
    assert carrier.ending() is None
    carrier.now = 101.0
    assert carrier.types() == ([] if error is None else ["error"])
    assert carrier.ending() == Ending(1001)
    carrier.connection.freeze()
    carrier.connection.drop()
    assert carrier.ending() == Ending(None)


def test_what_is_frozen_stays_so() -> None:
    carrier = Carrier(expires_after=60)
    carrier.connection.freeze()
    carrier.now = 1e9
    assert carrier.connection.deaf_until == inf
    assert carrier.connection.mute_since == 100.0
    assert carrier.types() == []
    assert carrier.connection.next_deadline() is None
    assert carrier.ending() is None


# --- as planned ------------------------------------------------------------------------


def test_a_close_in_place_of_the_session() -> None:
    carrier = Carrier(Close(4000, "invalid_model", "invalid_model"))
    assert carrier.types() == ["error"]
    assert carrier.ending() == Ending(4000, "invalid_model")


def test_a_drop_in_place_of_the_session() -> None:
    carrier = Carrier(Drop())
    assert carrier.types() == []
    assert carrier.connection.dropped


def test_a_freeze_in_place_of_the_session() -> None:
    carrier = Carrier(Freeze())
    assert carrier.types() == []
    assert carrier.connection.mute_since == 100.0


def test_who_is_ignored_is_told_nothing_and_not_heard() -> None:
    carrier = Carrier(Ignore(), expires_after=60)
    carrier.connection.receive(CREATE)
    assert list(carrier.connection.session.received) == []
    carrier.now = 200.0
    assert carrier.types() == []
    assert carrier.connection.next_deadline() is None
    assert carrier.ending() is None
    carrier.connection.say('{"type":"surprise"}')
    assert carrier.types() == ["surprise"]
    carrier.connection.close(1011)
    assert carrier.ending() == Ending(1011)


@pytest.mark.parametrize("mishap", [Close(1011, after=5.0), Drop(after=5.0), Freeze(after=5.0)])
def test_what_is_planned_for_later_happens_then(mishap: Mishap) -> None:
    carrier = Carrier(mishap)
    assert carrier.types() == ["session.created"]
    assert carrier.connection.next_deadline() == 105.0
    carrier.now = 104.9
    assert carrier.types() == []
    connection = carrier.connection
    assert (connection.ending, connection.mute_since) == (None, None)
    carrier.now = 105.0
    carrier.connection.take()
    expected = {
        Close: (Ending(1011), None),
        Drop: (Ending(None), None),
        Freeze: (None, 105.0),
    }[type(mishap)]
    assert (connection.ending, connection.mute_since) == expected
    carrier.connection.take()
    assert (connection.ending, connection.mute_since) == expected
    assert connection.next_deadline() is None, "it has happened"


@pytest.mark.parametrize("after", [0, 0.0, 3])
def test_what_comes_later_comes_after_the_session_has_begun(after: float) -> None:
    carrier = Carrier(Drop(after=after))
    carrier.now = 1_000.0
    assert carrier.types() == ["session.created"]
    assert not carrier.connection.dropped
    assert carrier.connection.next_deadline() == 1_000.0 + after
    carrier.now += after
    assert carrier.types() == []
    assert carrier.connection.dropped


def test_what_is_planned_happens_to_the_mute_as_well() -> None:
    carrier = Carrier(Drop(after=5.0))
    carrier.connection.stall(60.0)
    assert carrier.types() == []
    assert carrier.connection.next_deadline() == 105.0
    carrier.now = 105.0
    carrier.connection.take()
    assert carrier.connection.dropped


def test_a_redirect_is_a_refusal_with_a_location() -> None:
    assert redirect("wss://elsewhere") == Refuse(307, headers=(("Location", "wss://elsewhere"),))
    assert redirect("x", 302).status == 302


# --- several of one session ------------------------------------------------------------


def test_everybody_hears_what_the_session_says_and_only_once() -> None:
    first = Carrier()
    first.types()
    second = Carrier(party=first.party)
    first.connection.receive(CLEAR)
    assert (first.rung, second.rung) == (1, 1)
    assert second.types() == ["input_audio_buffer.cleared"]
    assert first.types() == ["input_audio_buffer.cleared"]
    assert first.types() == second.types() == []
    first.connection.leave(Ending(1000))
    second.connection.receive(CLEAR)
    assert second.types() == ["input_audio_buffer.cleared"]
    assert (first.rung, first.types()) == (1, [])


def test_a_close_of_one_is_not_the_end_of_the_others() -> None:
    first = Carrier()
    second = Carrier(party=first.party)
    first.connection.close(1011, error="x")
    second.connection.receive(CLEAR)
    assert second.types() == ["session.created", "input_audio_buffer.cleared"]
    assert first.types() == ["error"]
    assert second.ending() is None


def test_the_end_of_the_session_is_everybodys() -> None:
    first = Carrier(expires_after=60)
    second = Carrier(party=first.party)
    first.types(), second.types()
    first.now = second.now = 160.0
    assert first.types() == second.types() == ["error"]
    assert first.ending() == second.ending() == Ending(1001, "session_expired")


def test_who_is_ignored_is_not_told_of_the_end_either() -> None:
    first = Carrier(expires_after=60)
    second = Carrier(Ignore(), party=first.party)
    first.now = second.now = 160.0
    first.types()
    assert second.types() == []
    assert (first.ending(), second.ending()) == (Ending(1001, "session_expired"), None)
