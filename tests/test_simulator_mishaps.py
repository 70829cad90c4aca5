"""What a client sees of each mishap, over a socket and in memory, on asyncio and trio."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import msgspec
import pytest
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus

from realtime_client.errors import ConnectFailed, HandshakeRefused
from realtime_client.events import ErrorDetails
from realtime_client.simulator import (
    Close,
    Drop,
    Freeze,
    Ignore,
    MemoryServer,
    Mishap,
    Reception,
    Refuse,
    SimulatorPolicy,
    redirect,
    serve,
)
from tests.test_simulator_serve import FAST, connected

HEADERS = {"Authorization": "Bearer k"}
OPTIONS: dict[str, Any] = {"additional_headers": HEADERS, "close_timeout": 0.05}
SILENCE = 0.1  # seconds after which a client of these tests believes that nothing will come


class Over(Exception):
    def __init__(self, code: int | None, reason: str) -> None:
        super().__init__(code, reason)


@dataclass
class Seen:
    """How a connection went, as its client saw it."""

    refused: tuple[int, str] | None = None
    nobody: bool = False
    frames: list[dict[str, Any]] = field(default_factory=list)
    closed: tuple[int | None, str] | None = None

    @property
    def types(self) -> list[str]:
        return [frame["type"] for frame in self.frames]


class Socket:
    """Clients over a socket. A visit ends with the connection, with `most` frames, or when
    `first` or then `patience` seconds have brought no frame.
    """

    @asynccontextmanager
    async def server(self, policy: SimulatorPolicy) -> AsyncIterator[Reception]:
        async with serve(policy) as server:
            self.url = f"{server.url}?model=m"
            yield server

    async def visit(self, most: int = 9, first: float = 5.0, patience: float = 5.0) -> Seen:
        seen = Seen()
        try:
            with anyio.move_on_after(first) as scope:
                async with connected(self.url, **OPTIONS) as peer:
                    while len(seen.frames) < most:
                        seen.frames.append(await peer.next())
                        scope.deadline = anyio.current_time() + patience
        except InvalidStatus as refused:
            seen.refused = refused.response.status_code, (refused.response.body or b"").decode()
        except (InvalidMessage, EOFError, OSError):
            seen.nobody = True
        except ConnectionClosed as closed:
            seen.closed = (closed.rcvd.code, closed.rcvd.reason) if closed.rcvd else (None, "")
        return seen


class Memory:
    """Clients in memory."""

    @asynccontextmanager
    async def server(self, policy: SimulatorPolicy) -> AsyncIterator[Reception]:
        self._server = MemoryServer(policy, closed=Over)
        yield self._server

    async def visit(self, most: int = 9, first: float = 5.0, patience: float = 5.0) -> Seen:
        seen = Seen()
        try:
            with anyio.move_on_after(first) as scope:
                async with self._server.connect("/v1/realtime?model=m", HEADERS) as transport:
                    while len(seen.frames) < most:
                        seen.frames.append(msgspec.json.decode(await transport.receive()))
                        scope.deadline = anyio.current_time() + patience
        except HandshakeRefused as refused:
            seen.refused = refused.status, refused.body
        except ConnectFailed:
            seen.nobody = True
        except Over as over:
            seen.closed = over.args[0], over.args[1]
        return seen


Clients = Socket | Memory


@pytest.fixture(params=[Socket, Memory], ids=["socket", "memory"])
def clients(request: pytest.FixtureRequest) -> Clients:
    made: Clients = request.param()
    return made


MISHAPS: Mapping[str, tuple[Mishap, Seen]] = {
    "http": (Refuse(401, '{"error":{"code":"invalid_api_key"}}'),
             Seen(refused=(401, '{"error":{"code":"invalid_api_key"}}'))),
    "an odd status": (Refuse(529, "overloaded"), Seen(refused=(529, "overloaded"))),
    "nobody": (Drop(upgrade=False), Seen(nobody=True)),
    "no answer": (Ignore(upgrade=False), Seen()),
    "no session": (Ignore(), Seen()),
    "frozen": (Freeze(), Seen()),
    "dropped": (Drop(), Seen(closed=(None, ""))),
    "closed": (Close(1008, "pool full"), Seen(closed=(1008, "pool full"))),
}  # fmt: skip


@pytest.mark.parametrize("name", MISHAPS)
async def test_a_beginning(clients: Clients, name: str) -> None:
    mishap, expected = MISHAPS[name]
    async with clients.server(SimulatorPolicy(mishaps=(mishap,))) as server:
        silent = expected == Seen()
        with anyio.fail_after(15):
            seen = await clients.visit(first=SILENCE if silent else 5.0)
            again = await clients.visit(most=1)
        assert seen == expected
        assert again.types == ["session.created"], "it was the first one's alone"
        assert [hello.api_key for hello in server.handshakes] == ["k", "k"]
        never_in = expected.refused or expected.nobody or mishap == Ignore(upgrade=False)
        assert len(server.connections) == (1 if never_in else 2)


@pytest.mark.parametrize(
    ("mishap", "types", "closed"),
    [
        (Drop(after=0.01), [], (None, "")),
        (Freeze(after=0.01), [], None),
        (Close(1001, "expired", after=0.01), [], (1001, "expired")),
        (Close(1001, "", "session_expired", after=0.01), ["error"], (1001, "")),
        (Close(3000, "x", ErrorDetails(type="y", code="invalid_api_key", message="No.")),
         ["error"], (3000, "x")),
    ],
)  # fmt: skip
async def test_a_later_end(
    clients: Clients, mishap: Close | Drop | Freeze, types: list[str], closed: object
) -> None:
    policy = SimulatorPolicy(mishaps=(mishap,), mishaps_repeat=True)
    async with clients.server(policy):
        for _ in range(2):
            seen = await clients.visit(patience=SILENCE if closed is None else 5.0)
            begun = [] if mishap.after is None else ["session.created"]
            assert seen.types == [*begun, *types]
            assert seen.closed == closed


async def test_what_the_server_says_of_an_error_is_said_whole(clients: Clients) -> None:
    details = ErrorDetails(type="quota", code="insufficient_quota", message="Pay.", param="p")
    async with clients.server(SimulatorPolicy(mishaps=(Close(1008, "", details),))):
        (error,) = (await clients.visit()).frames
    said = {"type": "quota", "code": "insufficient_quota", "message": "Pay.", "param": "p"}
    assert error["error"] == said
    assert error["event_id"]


async def test_a_server_that_is_replaced_by_another(clients: Clients) -> None:
    async with clients.server(SimulatorPolicy()) as server:
        assert (await clients.visit(most=1)).types == ["session.created"]
        server.policy = SimulatorPolicy(mishaps=(Refuse(503),), mishaps_repeat=True)
        assert (await clients.visit()).refused == (503, "")
        server.policy = SimulatorPolicy()
        assert (await clients.visit(most=1)).types == ["session.created"]


async def test_headers_of_a_refusal_arrive() -> None:
    policy = SimulatorPolicy(mishaps=(Refuse(429, "slow down", (("Retry-After", "7"),)),))
    async with serve(policy) as server:
        with pytest.raises(InvalidStatus) as caught:
            async with connected(f"{server.url}?model=m"):
                pass
        assert caught.value.response.headers["Retry-After"] == "7"
        assert caught.value.response.reason_phrase == "Too Many Requests"


async def test_a_redirect_says_where() -> None:
    async with serve(FAST) as there:
        policy = SimulatorPolicy(mishaps=(redirect(f"{there.url}?model=there"),))
        # The library follows by itself, which is not always a good idea.
        async with serve(policy) as here, connected(f"{here.url}?model=here") as peer:
            assert (await peer.next())["session"]["model"] == "there"
            assert (len(here.handshakes), len(there.handshakes)) == (1, 1)


async def test_in_memory_the_exception_of_a_refusal_is_the_callers_choice() -> None:
    answers: list[Refuse | None] = []

    def refused(answer: Refuse | None) -> Exception:
        answers.append(answer)
        return KeyError("mine")

    mishaps = (Refuse(429, "slow down", (("Retry-After", "7"),)), Drop(upgrade=False))
    server = MemoryServer(SimulatorPolicy(mishaps=mishaps), closed=Over, refused=refused)
    for _ in mishaps:
        with pytest.raises(KeyError, match="mine"):
            async with server.connect("/v1/realtime?model=m", {}):
                pass
    assert answers == [mishaps[0], None]
