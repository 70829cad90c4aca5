"""N1, N2, N3: what "connected" means, what is never tried again, and how often the rest is."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from realtime_client import Client
from realtime_client.errors import (
    ClientClosed,
    ConnectFailed,
    ConnectionLost,
    HandshakeRefused,
    KeyRefused,
    ModelRefused,
    PolicyRefused,
    RealtimeError,
    ReconnectFailed,
    SessionRefused,
    SessionSilent,
    SessionUpdateRejected,
)
from realtime_client.events import ErrorDetails
from realtime_client.reconnect import Reconnect
from realtime_client.simulator import (
    Close,
    Drop,
    Freeze,
    Ignore,
    Mishap,
    Refuse,
    SimulatorPolicy,
    redirect,
    serve,
)
from tests.outages import (
    AT_ONCE,
    FAST,
    URL,
    Clocked,
    disconnected,
    failing,
    in_virtual_time,
    kinds,
    reconnected,
    remote,
    talking,
)
from tests.test_scenarios_config_callers import virtual

# -- N1 ---------------------------------------------------------------------------------------


@virtual
async def test_N1_connected_means_that_the_configuration_is_acknowledged() -> None:
    start = anyio.current_time()
    policy = SimulatorPolicy(update_after=3.0)
    async with in_virtual_time(policy, instructions="Be brief.") as (client, server, _):
        assert anyio.current_time() == start + 3.0
        acknowledged: Any = client.session.acknowledged
        assert acknowledged.instructions == "Be brief."
        assert client.session.in_flight == ()
        assert kinds(server.sessions[0]) == ["session.update"]


async def enter(url: str, **options: Any) -> RealtimeError:
    """What entering a client raises; it is useless afterwards."""
    options = {"close_timeout": 0.1, "reconnect": None, **options}
    client = Client(endpoint=url, **options)
    with anyio.fail_after(10), pytest.raises(RealtimeError) as caught:
        async with client:
            pytest.fail("it must not open")
    with pytest.raises(type(caught.value)):
        await client.send_text("x")
    return caught.value


REFUSALS: list[tuple[str, Mishap, type[RealtimeError], str, dict[str, Any]]] = [
    ("401", Refuse(401, "no such key"), HandshakeRefused, "no such key", {"status": 401}),
    ("403", Refuse(403, "not yours"), HandshakeRefused, "not yours", {"status": 403}),
    ("404", Refuse(404, "not here"), HandshakeRefused, "not here", {"status": 404}),
    ("redirect", redirect("ws://127.0.0.1:1/r"), HandshakeRefused, "307", {"status": 307}),
    (
        "3000",
        Close(3000, error="invalid_api_key"),
        KeyRefused,
        "This session cannot go on",
        {"close_code": 3000, "code": "invalid_api_key"},
    ),
    ("3000 alone", Close(3000, "the key"), KeyRefused, "the key", {"close_code": 3000}),
    ("4000", Close(4000, error="model_not_found"), ModelRefused, "go on", {"close_code": 4000}),
    ("4000 alone", Close(4000, "the model"), ModelRefused, "the model", {"close_code": 4000}),
    (
        "quota",
        Close(1008, error=ErrorDetails(type="insufficient_quota", code=None, message="All spent.")),
        PolicyRefused,
        "All spent.",
        {"code": "insufficient_quota", "close_code": 1008},
    ),
]
"""What nobody has to try twice."""

FAILURES: list[tuple[str, Mishap, type[RealtimeError], str, dict[str, Any]]] = [
    ("429", Refuse(429, "too many"), HandshakeRefused, "too many", {"status": 429}),
    ("503", Refuse(503, "soon"), HandshakeRefused, "soon", {"status": 503}),
    ("1008", Close(1008, "the pool is full"), PolicyRefused, "pool is full", {"close_code": 1008}),
    ("1011", Close(1011, "oh no"), ConnectFailed, "oh no", {}),
    (
        "error",
        Close(1011, error=ErrorDetails(type="server_error", code=None, message="Sorry.")),
        SessionRefused,
        "Sorry.",
        {"code": "server_error", "close_code": 1011},
    ),
    ("drop", Drop(), ConnectFailed, "dropped, before the session was open", {}),
    ("nobody", Drop(upgrade=False), ConnectFailed, "", {}),
    ("silence", Ignore(), SessionSilent, "session.created", {"uncertain": False}),
    ("no handshake", Ignore(upgrade=False), ConnectFailed, "", {}),
    ("frozen", Freeze(), SessionSilent, "session.created", {}),
]
"""What may be better in a moment."""


def patience(mishap: Mishap) -> float:
    """For how long a client waits for a server that does this."""
    return 0.3 if isinstance(mishap, Ignore | Freeze) else 10.0


def table(rows: list[Any]) -> pytest.MarkDecorator:
    names = ("mishap", "error", "words", "facts")
    return pytest.mark.parametrize(names, [row[1:] for row in rows], ids=[row[0] for row in rows])


@table(REFUSALS + FAILURES)
async def test_N1_each_way_not_to_open_is_its_own_error(
    mishap: Mishap, error: type[RealtimeError], words: str, facts: dict[str, Any]
) -> None:
    async with serve(SimulatorPolicy(mishaps=(mishap,))) as server:
        raised = await enter(server.url, instructions="x", open_timeout=patience(mishap))
        assert len(server.handshakes) == 1
    assert type(raised) is error
    assert words in str(raised)
    assert {name: getattr(raised, name) for name in facts} == facts
    is_failure = any(mishap is row[1] for row in FAILURES)
    assert raised.retryable is is_failure


async def test_N1_a_bad_key_is_let_in_and_then_told_to_go() -> None:
    async with serve(SimulatorPolicy(api_keys=frozenset({"good"}))) as server:
        raised = await enter(server.url, api_key="bad-key")
        assert isinstance(raised, KeyRefused)
        assert "Incorrect API key" in str(raised)
        assert "bad-key" not in str(raised)
        assert len(server.connections) == 1, "HTTP 101 means nothing"


async def test_N1_a_configuration_that_nobody_answers_is_not_a_connection() -> None:
    async with serve(SimulatorPolicy(no_answer=frozenset({1}))) as server:
        raised = await enter(server.url, instructions="x", open_timeout=0.3)
    assert type(raised) is SessionSilent
    assert "configuration" in str(raised) or "session" in str(raised)


async def test_N1_a_configuration_that_is_refused_is_not_a_connection() -> None:
    async with serve(FAST) as server:
        raised = await enter(server.url, input_format={"type": "audio/pcm", "rate": 16_000})
    assert isinstance(raised, SessionUpdateRejected)
    assert "rate" in str(raised)


# -- N2 ---------------------------------------------------------------------------------------


@table(REFUSALS)
async def test_N2_what_is_fatal_is_not_tried_again_when_opening(
    mishap: Mishap, error: type[RealtimeError], words: str, facts: dict[str, Any]
) -> None:
    again = Reconnect(first=0.0, longest=0.0, opening=True)
    async with serve(SimulatorPolicy(mishaps=(mishap,))) as server:
        raised = await enter(server.url, reconnect=again)
        assert type(raised) is error
        assert len(server.handshakes) == 1


@table(FAILURES)
async def test_N2_what_may_pass_is_tried_again_when_opening(
    mishap: Mishap, error: type[RealtimeError], words: str, facts: dict[str, Any]
) -> None:
    again = Reconnect(first=0.0, longest=0.0, opening=True)
    async with serve(SimulatorPolicy(pace="fast", mishaps=(mishap, mishap))) as server:
        with anyio.fail_after(10):
            async with Client(
                endpoint=server.url,
                reconnect=again,
                open_timeout=patience(mishap),
                close_timeout=0.1,
            ) as client:
                await client.send_text("hello")
        # Where the machine is slow, the third one may have been given up, too.
        assert len(server.handshakes) == 3 or (
            len(server.handshakes) > 3 and patience(mishap) < 1.0
        )
        assert server.sessions[-1].conversation.told == (("user", "hello"),)


@table(REFUSALS)
async def test_N2_what_is_fatal_ends_the_client_at_the_next_handshake(
    mishap: Mishap, error: type[RealtimeError], words: str, facts: dict[str, Any]
) -> None:
    policy = SimulatorPolicy(mishaps=(None, mishap))
    async with talking(policy) as (client, server, changes):
        server.connections[0].drop()
        assert isinstance((await disconnected(changes)).error, ConnectionLost)
        raised = await failing(anext(changes))
        assert isinstance(raised, ReconnectFailed)
        assert (raised.tries, raised.retryable) == (1, False)
        assert type(raised.cause) is error
        assert words in str(raised), "the server's words"
        assert await failing(client.send_text("x")) is raised
        assert len(server.handshakes) == 2


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (3000, None),
        (4000, None),
        (1011, "insufficient_quota"),
        (1000, ErrorDetails(type="account_deactivated", code=None, message="Gone.")),
    ],
)
async def test_N2_what_is_fatal_in_mid_session_is_not_tried_again(code: int, error: Any) -> None:
    async with talking() as (client, server, changes):
        server.connections[0].close(code, "bye", error)
        raised = await failing(reconnected(changes))
        assert isinstance(raised, ReconnectFailed)
        assert (raised.tries, raised.close_code) == (0, code)
        assert await failing(client.ready()) is raised
        assert len(server.handshakes) == 1


async def test_N2_an_error_that_was_survived_does_not_make_the_next_loss_fatal() -> None:
    async with talking() as (client, server, changes):
        session = server.sessions[0]
        error = ErrorDetails(type="insufficient_quota", code=None, message="Nearly.")
        server.connections[0].say(session.frame(Close(1000, error=error).event))  # type: ignore[arg-type]  # it has one
        await client.send_text("still there")
        server.connections[0].drop()
        assert (await reconnected(changes)).tries == 1


# -- N3 ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("mishap", [Drop(), Drop(after=0.0), Drop(after=0.05), Close(1011)])
async def test_N3_a_server_that_accepts_and_drops_is_not_tried_for_ever(mishap: Mishap) -> None:
    again = Reconnect(tries=5, first=0.0, longest=0.0)
    policy = SimulatorPolicy(mishaps=(None, *[mishap] * 100))
    async with talking(policy, reconnect=again, instructions="x") as (client, server, changes):
        server.connections[0].drop()
        with anyio.fail_after(10), pytest.raises(ReconnectFailed) as caught:
            while True:
                await reconnected(changes)
        assert caught.value.tries == 5
        assert len(server.handshakes) == 6
        assert await failing(client.session.update(speed=1.2)) is caught.value


@virtual
async def test_N3_the_pauses_grow_and_are_not_all_alike() -> None:
    server = remote(SimulatorPolicy(mishaps=(None, *[Refuse(503)] * 100)))
    connect = Clocked(server)
    again = Reconnect(tries=8, total=1_000.0, first=1.0, longest=20.0)
    async with Client(endpoint=URL, connect=connect, reconnect=again) as client:
        changes = client.connections()
        server.connections[0].drop()
        await failing(reconnected(changes))
    pauses = [
        after - before for before, after in zip(connect.times, connect.times[1:], strict=False)
    ]
    for pause, most in zip(pauses, [1, 2, 4, 8, 16, 20, 20, 20], strict=True):
        assert most / 2 <= pause <= most
    assert (
        len(
            {pause / most for pause, most in zip(pauses, [1, 2, 4, 8, 16, 20, 20, 20], strict=True)}
        )
        == 8
    )


@virtual
@pytest.mark.parametrize("mishap", [Refuse(503), Ignore(), Ignore(upgrade=False), Freeze()])
async def test_N3_everything_is_bounded_by_a_total_time(mishap: Mishap) -> None:
    again = Reconnect(tries=1_000, total=45.0, first=1.0, longest=2.0)
    policy = SimulatorPolicy(mishaps=(None, *[mishap] * 1_000))
    async with in_virtual_time(policy, reconnect=again) as (client, server, changes):
        server.connections[0].drop()
        start = anyio.current_time()
        raised = await failing(reconnected(changes))
        assert isinstance(raised, ReconnectFailed)
        assert 40.0 <= anyio.current_time() - start <= 50.0
        assert await failing(client.ready()) is raised


@virtual
@pytest.mark.parametrize(("lives", "outages"), [(29.0, 4), (31.0, 40)])
async def test_N3_the_budget_is_whole_only_after_a_healthy_period(
    lives: float, outages: int
) -> None:
    again = Reconnect(tries=3, total=1e6, first=0.0, longest=0.0, healthy=30.0)
    policy = SimulatorPolicy(mishaps=(Drop(after=lives),), mishaps_repeat=True)
    async with in_virtual_time(policy, reconnect=again) as (client, server, changes):
        seen = 0
        while seen < 40 and client.is_connected:
            change = await disconnected(changes)
            seen += 1
            assert isinstance(change.error, ConnectionLost)
            try:
                await client.ready()
            except ReconnectFailed:
                break
        assert seen == outages
        assert len(server.handshakes) == (4 if outages == 4 else 41)


@virtual
async def test_N3_the_total_time_counts_from_the_loss_after_a_healthy_period() -> None:
    again = Reconnect(tries=100, total=45.0, first=0.0, longest=0.0, healthy=30.0)
    policy = SimulatorPolicy(mishaps=(Drop(after=100.0),), mishaps_repeat=True)
    async with in_virtual_time(policy, reconnect=again) as (_, server, changes):
        for _ in range(5):
            assert (await reconnected(changes)).tries == 1
        assert len(server.handshakes) == 6


# -- on, off ----------------------------------------------------------------------------------


async def test_N3_reconnection_is_on_by_default() -> None:
    async with serve(FAST) as server, Client(endpoint=server.url) as client:
        changes = client.connections()
        server.connections[0].drop()
        report = await reconnected(changes)
        assert (report.planned, report.tries) == (False, 1)
        assert report.seconds > 0.1, "a pause, at random"
        await client.send_text("hello")
        assert server.sessions[1].conversation.told == (("user", "hello"),)


async def test_N3_reconnection_can_be_turned_off() -> None:
    async with talking(reconnect=None) as (client, server, changes):
        server.connections[0].drop()
        raised = await failing(anext(changes))
        assert type(raised) is ConnectionLost
        later = await failing(client.ready())
        assert isinstance(later, ReconnectFailed)
        assert (later.cause, later.tries) == (raised, 0)
        assert "does not reconnect" in str(later)
        assert len(server.handshakes) == 1


async def test_N3_what_a_client_raises_after_it_was_closed_is_not_a_loss() -> None:
    async with talking(reconnect=AT_ONCE) as (client, _, changes):
        await client.aclose()
        assert type(await failing(client.send_text("x"))) is ClientClosed
        assert [one async for one in changes] == []
