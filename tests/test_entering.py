"""What cannot be is refused where it is given: by its name, and before anything is connected."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_client import Client, Endpoint, Keepalive, OpenAI, tool
from realtime_client.errors import (
    ConnectionLost,
    HandshakeRefused,
    KeyRefused,
    ReconnectFailed,
    ServerError,
    UsageError,
)
from realtime_client.reconnect import Reconnect
from realtime_client.rest import Rest
from realtime_client.rollover import Rollover
from realtime_client.simulator import (
    Answer,
    CallFunction,
    Question,
    Refuse,
    Say,
    SimulatorPolicy,
    serve,
)

URL = "ws://127.0.0.1:9/v1/realtime"


async def an_async_trace(direction: str, frame: object) -> None:
    """Nobody would await it."""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("reconnect", value) for value in (False, True, 5, {"tries": 3}, Reconnect, Rollover())],
        *[("rollover", value) for value in (False, True, 3_000, Rollover, Reconnect())],
        *[("keepalive", value) for value in (20, (20, 20), Keepalive)],
        *[("connect", value) for value in (5, "ws://127.0.0.1")],
        *[("trace", value) for value in (5, an_async_trace)],
        *[("endpoint", value) for value in (5, b"wss://a", OpenAI)],
    ],
)
def test_what_is_of_another_kind_is_refused_by_its_name(name: str, value: Any) -> None:
    options: dict[str, Any] = {"endpoint": URL, name: value}
    with pytest.raises(UsageError, match=f"^{name} "):
        Client(**options)


@pytest.mark.parametrize("seconds", [0, -1, "a", float("nan"), True])
def test_a_keepalive_is_in_seconds(seconds: Any) -> None:
    for numbers in ((seconds, 1.0), (1.0, seconds)):
        with pytest.raises(UsageError, match="in seconds, more than 0"):
            Keepalive(*numbers)


def test_an_endpoint_is_made_of_a_url_and_of_a_dialect() -> None:
    nothing: Any = None
    with pytest.raises(UsageError, match="url is the URL of a server"):
        Endpoint(nothing)
    name: Any = "beta"
    with pytest.raises(UsageError, match="dialect is a Dialect"):
        Endpoint(URL, dialect=name)


@pytest.mark.parametrize(
    ("url", "instead"),
    [("https://mine.openai.azure.com", r"Azure\("), ("https://api.x.ai/v1", r"XAI\(")],
)
def test_the_url_of_a_provider_with_manners_of_its_own(url: str, instead: str) -> None:
    with pytest.raises(UsageError, match=instead):
        Client(endpoint=url, api_key="sk-something")


@pytest.mark.parametrize("key", ["Bearer sk-abcdefgh", "https://gateway.example/v1"])
def test_what_is_no_key(key: str) -> None:
    with pytest.raises(UsageError, match="the key alone") as refusal:
        OpenAI(key)
    assert key not in str(refusal.value)


def test_rest_has_the_same_endpoints() -> None:
    wrong: Any = 3
    with pytest.raises(UsageError, match=r"^retry "):
        Rest(URL, retry=wrong)
    with pytest.raises(UsageError, match=r"^endpoint "):
        Rest(wrong)
    assert "sk-something" not in repr(Rest(api_key="sk-something"))


@pytest.mark.parametrize("status", [401, 403])
async def test_who_has_sent_no_key_is_told_so(status: int) -> None:
    policy = SimulatorPolicy(mishaps=(Refuse(status), Refuse(status)))
    async with serve(policy) as server:
        with pytest.raises(HandshakeRefused, match="no credential was sent"):
            await Client(endpoint=server.url).__aenter__()
        with pytest.raises(HandshakeRefused, match="the key"):
            await Client(endpoint=server.url, api_key="sk-something").__aenter__()


async def test_a_client_that_does_not_reconnect_is_at_its_end_for_good() -> None:
    async with serve() as server, Client(endpoint=server.url, reconnect=None) as client:
        changes = client.conversation.changes()
        server.connections[-1].drop()
        with pytest.raises(ConnectionLost) as lost:
            await anext(changes)
        for call in (client.response.create, client.ready, client.interrupt):
            with pytest.raises(ReconnectFailed) as later:
                await call()
            assert not later.value.retryable
            assert str(later.value.cause) == str(lost.value)


async def test_a_fatal_close_says_what_was_refused() -> None:
    async with serve() as server, Client(endpoint=server.url) as client:
        changes = client.connections()
        server.connections[-1].close(3000, "")
        with pytest.raises(ReconnectFailed, match="trying again is of no use") as lost:
            while True:
                await anext(changes)
    assert isinstance(lost.value.cause, KeyRefused)
    assert len(server.handshakes) == 1


async def test_the_refusal_of_what_was_sent_raw_is_among_the_errors() -> None:
    async with serve() as server, Client(endpoint=server.url) as client:
        errors = client.errors()
        for event in (
            {"type": "conversation.item.delete", "item_id": "nobody"},
            {"type": "conversation.item.retrieve", "item_id": "nobody"},
            {"type": "input_audio_buffer.commit"},
            {"type": "session.update", "session": {"type": "realtime", "speed": 9}},
            {"type": "response.create", "response": {"conversation": "bogus"}},
        ):
            await client.send(event)
            assert isinstance(await anext(errors), ServerError)


async def test_a_handle_that_ends_with_its_connection_may_have_been_done() -> None:
    policy = SimulatorPolicy(pace="realtime")
    async with serve(policy) as server, Client(endpoint=server.url) as client:
        await client.send_text("Tell me everything.")
        response = await client.response.create()
        server.connections[-1].drop()
        with pytest.raises(ConnectionLost) as lost:
            await response.done()
    assert lost.value.uncertain


@tool
async def weather(city: str) -> str:
    """The weather."""
    return f"It rains in {city}."


def calls_weather(question: Question) -> Answer:
    if question.source == "tool":
        return [Say(question.text or "")]
    return [CallFunction("weather", {"city": "Rome"})]


async def test_a_sideband_runs_functions_and_sends_no_configuration() -> None:
    async with serve(SimulatorPolicy(pace="fast"), calls_weather) as server:
        caller = Client(endpoint=f"{server.url}?call_id=rtc_1")
        async with (
            caller,
            Client(endpoint=server.url, call_id="rtc_1", tools=[weather]) as sideband,
        ):
            await caller.session.update(tools=[weather.definition])
            reports = sideband.tools.reports()
            await sideband.send_text("How is the weather?")
            response = await sideband.response.create()
            answer = await response.follow_up()
            assert answer is not None
            await answer.done()
            assert answer.transcript == "It rains in Rome."
            assert (await anext(reports)).what == "answered"
        joined = server.connections[-1].session
    updates = [one for one in joined.received if one.type == "session.update"]
    assert len(updates) == 1  # the caller's own


def test_a_sideband_takes_nothing_but_functions() -> None:
    for options in (
        {"voice": "marin"},
        {"tools": [weather.definition]},
        {"tools": [weather], "voice": "ash"},
    ):
        given: Any = options
        client = Client(endpoint=URL, call_id="rtc_1", **given)
        with pytest.raises(UsageError, match="no configuration of its own"):
            client._begin()
