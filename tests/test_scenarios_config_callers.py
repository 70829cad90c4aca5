"""What goes wrong with configuration elsewhere, and not here: what callers bring and do.

C11 and C12: names and habits from older clients. C13: consumers that do not consume. Time is
virtual there, for client and server alike: both read the loop's clock, and the loop's clock
moves on only when everybody waits.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import selectors
import threading
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import pytest
from trio.testing import MockClock
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection
from websockets.sync.server import serve as serve_in_thread

from realtime_client import Client, Endpoint, SessionGroup, TransportClosed
from realtime_client.errors import InvalidConfig, UsageError
from realtime_client.simulator import MemoryServer, SimulatorPolicy, serve
from tests import wire
from tests.scenarios import (
    FAST,
    agree,
    connected,
    received,
    says,
    session_with,
    updates,
)

SPEED = "audio.output.speed"


# -- C11 and C12 ------------------------------------------------------------------------------

FORMER: list[tuple[dict[str, Any], str]] = [
    ({"modalities": ["audio", "text"]}, "output_modalities="),
    ({"output_modalities": ["audio", "text"]}, "never both"),
    ({"temperature": 0.7}, "no temperature"),
    ({"api_version": "2025-04-01-preview"}, "no api-version"),
    ({"azure_deployment": "mine"}, "model="),
    ({"azure_endpoint": "https://mine.openai.azure.com"}, "endpoint="),
    ({"entra_token": "eyJ"}, "token="),
    ({"conn_options": {"timeout": 3}}, "open_timeout="),
    ({"http_session": object()}, "connect="),
    ({"max_session_duration": 600}, "rollover=Rollover(age="),
]


@pytest.mark.parametrize(("old", "today"), FORMER, ids=[next(iter(old)) for old, _ in FORMER])
async def test_C11_an_older_name_is_answered_with_todays(
    old: Any, today: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    async with connected() as (client, session):
        sent, (name,) = client.sent(), old
        makers: list[Callable[[], object]] = [
            lambda: Client(api_key="sk-x", **old),
            lambda: Client(endpoint="wss://localhost/v1/realtime", **old),
            lambda: Client(**old),  # an older client had the credential in one of these names
            lambda: SessionGroup(**old),
        ]
        for make in makers:
            with pytest.raises(InvalidConfig, match=re.escape(today)) as caught:
                make()
            assert name in str(caught.value)
        with pytest.raises(InvalidConfig, match=re.escape(today)):
            await client.session.update(**old)
        if name != "http_session":  # an object has no place in a dict of the wire's shape
            with pytest.raises(InvalidConfig, match=re.escape(today)):
                await client.session.update({"instructions": "Good.", **old})
        await client.session.update(speed=1.25)
        assert updates(sent) == received(session) == [session_with(SPEED, 1.25)]
        agree(client, session)


async def test_C11_an_api_version_in_the_environment_is_said_to_be_useless(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_VERSION", "2025-04-01-preview")
    async with serve(FAST) as server:
        with pytest.warns(UserWarning, match="OPENAI_API_VERSION") as warned:
            client = Client(endpoint=server.url)
        assert len(warned) == 1
        assert warned[0].filename == __file__, "it points at whoever made the client"
        async with client:
            agree(client, server.sessions[0])


@pytest.mark.parametrize("is_set", [True, False])
async def test_C12_the_name_of_a_variable_in_place_of_a_key_is_recognised(
    monkeypatch: pytest.MonkeyPatch, is_set: bool
) -> None:
    name = "AZURE_OPENAI_API_KEY"
    monkeypatch.delenv(name, raising=False)
    if is_set:
        monkeypatch.setenv(name, "sk-very-secret")
    async with serve(FAST) as server:
        makers: list[Callable[[], object]] = [
            lambda: Client(endpoint=server.url, api_key=name),
            lambda: Client(api_key=name),
            lambda: Client(endpoint=Endpoint(server.url, headers={"api-key": name})),
        ]
        for make in makers:
            with pytest.raises(UsageError, match="name of an environment variable") as caught:
                make()
            assert f"os.environ['{name}']" in str(caught.value)
            assert "sk-very-secret" not in str(caught.value)
        assert not server.sessions
        async with Client(endpoint=server.url, api_key="sk-a-key_like-ANY_OTHER"):
            assert len(server.sessions) == 1


# -- C13 --------------------------------------------------------------------------------------


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time passes only when it would sleep, and then at once."""

    def __init__(self) -> None:
        self._moment = 0.0
        super().__init__(_Sleepless(self))

    def time(self) -> float:
        return self._moment

    def pass_by(self, seconds: float) -> None:
        self._moment += seconds


class _Sleepless(selectors.DefaultSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(None if timeout is None else 0)
        if not ready and timeout:
            self._loop.pass_by(timeout)
        return ready


virtual = pytest.mark.parametrize(
    "anyio_backend",
    [
        pytest.param(("asyncio", {"loop_factory": VirtualLoop}), id="asyncio"),
        pytest.param(("trio", {"clock": MockClock(autojump_threshold=0)}), id="trio"),
    ],
)


@virtual
async def test_C13_a_stopped_consumer_does_not_stop_acknowledgements() -> None:
    server = MemoryServer(
        SimulatorPolicy(pace="fast"), says("A long answer. " * 200), closed=TransportClosed
    )
    url = "ws://localhost/v1/realtime"
    async with Client(endpoint=url, connect=server.connect) as client:
        happening, notices = client.events(), client.session.notices()
        start = anyio.current_time()
        seen: list[str | None] = []

        async def consumer() -> None:
            seen.append((await anext(happening)).type)
            await anyio.sleep_until(start + 60)
            seen.extend(frame.type for frame in list(happening._items))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(consumer)
            response = await client.response.create()
            message = await anext(aiter(response))
            for second in range(1, 60):
                await anyio.sleep_until(start + second)
                answer = await client.session.update(instructions=f"At {second}.")
                assert answer.changed == ("instructions",)
                assert anyio.current_time() == start + second, "it came at once"
                agree(client, server.sessions[0])
        assert anyio.current_time() == start + 60
        assert seen.count("session.updated") == 59
        assert len(seen) > 500
        assert seen[0] == "response.created"
        assert message.audio.held > 0, "nobody has listened either"
        assert notices.held == 59


async def test_C13_a_consumer_that_raises_stops_nobody_else() -> None:
    async with connected(brain=says("Hello.")) as (client, session):
        happening, changes = client.events(), client.session.changes()
        for watch in (happening, changes):
            await client.session.update(instructions=f"For {type(watch).__name__}.")
            with pytest.raises(ZeroDivisionError):
                async for _ in watch:
                    raise ZeroDivisionError
        await client.session.update(instructions="Good.")
        agree(client, session)


@contextlib.contextmanager
def websocket(handler: Callable[[ServerConnection], None]) -> Iterator[str]:
    """A server of somebody else's making, in a thread."""
    with serve_in_thread(handler, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}/v1/realtime"
        server.shutdown()
        thread.join()


async def test_C13_pings_are_answered_while_nobody_reads() -> None:
    answered: list[bool] = []

    def handler(connection: ServerConnection) -> None:
        here = {"response_id": "resp_1", "item_id": "item_1", "output_index": 0}
        with contextlib.suppress(ConnectionClosed):
            connection.send(wire.frame("session.created", session=wire.session()), text=True)
            create = wire.read(connection.recv(decode=False))
            metadata = create["response"]["metadata"]
            connection.send(wire.created("resp_1", metadata), text=True)
            item = wire.message("item_1")
            added = wire.frame("response.output_item.added", **here, item=item)
            connection.send(added, text=True)
            delta = wire.frame(
                "response.output_audio.delta", **here, content_index=0, delta="AAAA" * 5_000
            )
            for _ in range(500):
                connection.send(delta, text=True)
            answered.append(connection.ping().wait(5))
            update = wire.read(connection.recv(decode=False))["session"]
            session = wire.session() | {"instructions": update["instructions"]}
            connection.send(wire.frame("session.updated", session=session), text=True)
            connection.recv()

    with websocket(handler) as url, anyio.fail_after(20):
        async with Client(endpoint=url) as client:
            happening = client.events()
            response = await client.response.create()
            answer = await client.session.update(instructions="Still here.", timeout=5)
            assert answer.changed == ("instructions",)
            assert [frame.type for frame in happening._items].count(
                "response.output_audio.delta"
            ) == 500
            assert response.status == "in_progress"
    assert answered == [True]
