"""Who comes in: what is noted of every handshake, what goes wrong, and whose session it is."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from realtime_client.simulator import (
    Close,
    Drop,
    Hello,
    Ignore,
    Mishap,
    Reception,
    Refuse,
    ServerConnection,
    SimulatorPolicy,
    echo,
)
from realtime_client.simulator.connection import Ending

URL = "/v1/realtime?model=m"
CALL = "/v1/realtime?call_id=rtc_1"
SAY = msgspec.json.encode(
    {
        "type": "conversation.item.create",
        "item": {
            "type": "message",
            "role": "user",
            "content": [{"type": "input_text", "text": "Hello"}],
        },
    }
)


class Door:
    """A reception and the time."""

    def __init__(self, *, keep: int | None = None, **policy: Any) -> None:
        self.now = 0.0
        self.reception = Reception(SimulatorPolicy(pace="fast", **policy), echo, keep=keep)

    def knock(self, url: str = URL, **headers: str) -> Mishap | None:
        return self.reception.knock(Hello.from_handshake(url, headers.items()))

    def enter(
        self, url: str = URL, mishap: Mishap | None = None, **headers: str
    ) -> ServerConnection:
        hello = Hello.from_handshake(url, headers.items())
        return self.reception.enter(hello, mishap, now=lambda: self.now)


def frames(connection: ServerConnection) -> list[dict[str, Any]]:
    return [msgspec.json.decode(out.data) for out in connection.take()]


def types(connection: ServerConnection) -> list[str]:
    return [frame["type"] for frame in frames(connection)]


# --- handshakes ------------------------------------------------------------------------


def test_every_handshake_is_noted_with_what_it_brought() -> None:
    door = Door(mishaps=(Refuse(503),))
    door.knock(authorization="Bearer one", **{"X-Extra": "1"})
    door.knock(**{"api-key": "two"})
    door.knock("/v1/chat")
    first, second, third = door.reception.handshakes
    assert (first.api_key, second.api_key, third.api_key) == ("one", "two", None)
    assert (first.header("x-extra"), second.header("x-extra")) == ("1", None)
    assert first.headers == (("authorization", "Bearer one"), ("X-Extra", "1"))
    assert (first.url, third.url) == (URL, "/v1/chat")
    assert not door.reception.connections
    assert not door.reception.sessions


def test_a_handshake_does_not_show_its_secrets() -> None:
    url = "/v1/realtime?model=m&api-key=secret"
    hello = Hello.from_handshake(url, {"Authorization": "Bearer secret"}.items())
    assert hello.api_key == "secret"
    assert "secret" not in repr(hello)


def test_mishaps_come_one_after_the_other_and_then_all_is_well() -> None:
    door = Door(mishaps=(Refuse(503), None, Drop()))
    assert [door.knock() for _ in range(5)] == [Refuse(503), None, Drop(), None, None]


def test_mishaps_may_begin_again() -> None:
    door = Door(mishaps=(Drop(), None), mishaps_repeat=True)
    assert [door.knock() for _ in range(5)] == [Drop(), None, Drop(), None, Drop()]


def test_where_there_is_no_api_nobody_gets_in_and_no_mishap_is_used_up() -> None:
    door = Door(mishaps=(Drop(),))
    refused = door.knock("/v1/chat?model=m")
    assert isinstance(refused, Refuse)
    assert refused.status == 404
    assert "/v1/realtime" in refused.body
    assert door.knock("wss://host.test/v1/realtime/?model=m") == Drop()


def test_a_new_policy_is_for_those_who_come_from_then_on() -> None:
    door = Door(mishaps=(Drop(), Drop()), api_keys=frozenset({"old"}))
    assert door.knock() == Drop()
    before = door.enter(authorization="Bearer old")
    policy = SimulatorPolicy(mishaps=(Ignore(),), api_keys=frozenset({"new"}))
    door.reception.policy = policy
    assert door.reception.policy is policy
    assert [door.knock() for _ in range(2)] == [Ignore(), None]
    assert types(before) == ["session.created"]
    assert types(door.enter(authorization="Bearer old")) == ["error"]
    assert types(door.enter(authorization="Bearer new")) == ["session.created"]


def test_connections_and_sessions_are_kept_in_order() -> None:
    door = Door()
    made = [door.enter(f"/v1/realtime?model={model}") for model in "abc"]
    assert list(door.reception.connections) == made
    assert list(door.reception.sessions) == [one.session for one in made]
    assert [one.hello.model for one in made] == ["a", "b", "c"]
    assert len({one.session.settings.session.id for one in made}) == 3


def test_the_last_ones_are_kept() -> None:
    door = Door(keep=2)
    for model in "abc":
        url = f"/v1/realtime?model={model}"
        door.knock(url)
        door.enter(url)
    for kept in (door.reception.handshakes, door.reception.connections, door.reception.sessions):
        assert len(kept) == 2
    assert [hello.model for hello in door.reception.handshakes] == ["b", "c"]


def test_a_mishap_goes_with_its_connection() -> None:
    door = Door()
    assert types(door.enter(URL, Close(1008, "pool full", "server_busy"))) == ["error"]
    assert types(door.enter()) == ["session.created"]


def test_expiry_is_announced_in_unix_time() -> None:
    door = Door(expires_after=60)
    door.now = 5.0
    hello = Hello.from_handshake(URL, ())
    connection = door.reception.enter(hello, None, now=lambda: door.now, epoch=1_000.0)
    (created,) = frames(connection)
    assert created["session"]["expires_at"] == 1_065


# --- calls -----------------------------------------------------------------------------


def test_a_call_needs_no_model_and_has_one() -> None:
    (created,) = frames(Door(models=frozenset({"m"})).enter(CALL))
    assert created["type"] == "session.created"
    assert created["session"]["model"] == "gpt-realtime"
    (with_model,) = frames(Door().enter(f"{CALL}&model=m"))
    assert with_model["session"]["model"] == "m"
    assert types(Door(models=frozenset({"m"})).enter(f"{CALL}&model=other")) == ["error"]


def test_a_call_goes_on_while_its_sideband_reconnects() -> None:
    door = Door()
    first = door.enter(CALL)
    first.receive(SAY)
    first.receive(b'{"type":"session.update","session":{"type":"realtime","instructions":"Hi"}}')
    assert types(first)[0] == "session.created"
    first.leave(Ending(None))
    second = door.enter(CALL)
    assert second.session is first.session
    assert len(door.reception.sessions) == 1
    assert len(door.reception.connections) == 2
    (created,) = frames(second)
    assert created["type"] == "session.created"
    assert created["event_id"]
    assert created["session"]["instructions"] == "Hi"
    assert second.session.conversation.told == (("user", "Hello"),)


def test_who_joins_does_not_hear_what_was_said_before() -> None:
    door = Door(created_after=1.0)
    first = door.enter(CALL)
    first.receive(b'{"type":"response.create"}')
    first.leave(Ending(None))
    door.now = 2.0
    second = door.enter(CALL)
    assert types(second) == ["session.created"]
    assert second.session.conversation.told[0][0] == "assistant", "it was said all the same"


def test_who_is_there_goes_on_hearing_when_another_joins() -> None:
    door = Door()
    first = door.enter(CALL)
    first.receive(SAY)
    second = door.enter(CALL)
    assert types(first) == [
        "session.created",
        "conversation.item.added",
        "conversation.item.done",
    ]
    assert types(second) == ["session.created"]
    second.receive(SAY)
    assert types(first) == types(second) == ["conversation.item.added", "conversation.item.done"]


def test_calls_are_not_each_other_and_no_call_is_none() -> None:
    door = Door()
    sessions = [door.enter(url).session for url in (CALL, "/v1/realtime?call_id=rtc_2", URL, URL)]
    assert len(set(map(id, sessions))) == 4


def test_a_call_is_kept_whoever_else_comes() -> None:
    door = Door(keep=2)
    first = door.enter(CALL)
    for _ in range(3):
        door.enter()
    assert door.enter(CALL).session is first.session
    for number in (2, 3):
        door.enter(f"/v1/realtime?call_id=rtc_{number}")
    assert door.enter(CALL).session is not first.session, "the last two calls are"


def test_a_call_that_has_expired_is_a_new_one() -> None:
    door = Door(expires_after=60)
    first = door.enter(CALL)
    door.now = 60.0
    assert types(first) == ["session.created", "error"]
    second = door.enter(CALL)
    assert second.session is not first.session
    assert types(second) == ["session.created"]
    assert door.enter(CALL).session is second.session


@pytest.mark.parametrize("mishap", [Close(1011), Drop(), Ignore()])
def test_a_mishap_of_a_sideband_is_not_the_calls(mishap: Mishap) -> None:
    door = Door()
    broken = door.enter(CALL, mishap)
    assert types(broken) == []
    broken.leave(Ending(None))
    again = door.enter(CALL, mishap)
    assert types(again) == []
    assert again.session is broken.session
    assert types(door.enter(CALL)) == ["session.created"]


def test_a_call_is_not_for_who_has_no_key() -> None:
    door = Door(api_keys=frozenset({"k"}))
    inside = door.enter(CALL, authorization="Bearer k")
    outside = door.enter(CALL, authorization="Bearer x")
    assert outside.session is not inside.session
    assert types(outside) == ["error"]
    assert door.enter(CALL, authorization="Bearer k").session is inside.session
