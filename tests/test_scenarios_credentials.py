"""N13 and N15: a credential is fresh at every connect, and goes to its own endpoint only."""

from __future__ import annotations

import io
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from realtime_client import Client, Endpoint
from realtime_client.changeover import Reconnected
from realtime_client.endpoints import XAI, Azure, OpenAI
from realtime_client.errors import (
    ConnectFailed,
    ConnectionFailed,
    CredentialFailed,
    HandshakeRefused,
)
from realtime_client.reconnect import Reconnect
from realtime_client.simulator import SimulatorPolicy, serve
from tests.httpserver import http, reply
from tests.traces import seen_by_collectors

OPENAI_KEY = "sk-of-openai-and-nobody-else"
TOKEN = "eyJ.of-entra.which-expires"

FAST = SimulatorPolicy(pace="fast")


class Identity:
    """Gives a token that is good for one connect only, as far as its server is concerned."""

    def __init__(self) -> None:
        self.asked = 0

    async def __call__(self) -> str:
        await anyio.lowlevel.checkpoint()
        self.asked += 1
        return f"{TOKEN}-{self.asked}"

    def admits(self, number: int) -> SimulatorPolicy:
        """A server that knows this token alone."""
        return SimulatorPolicy(pace="fast", api_keys=frozenset({f"{TOKEN}-{number}"}))


def loopback(url: str, **credential: Any) -> Endpoint:
    """Azure's endpoint, as it is made for a resource, at a server of ours."""
    return Azure(url.removesuffix("/v1/realtime"), **credential)


AT_ONCE = Reconnect(first=0.0, longest=0.0)


async def reconnected(changes: AsyncIterator[object]) -> bool:
    """Wait for the next connection; False where there is none any more."""
    async for change in changes:
        if isinstance(change, Reconnected):
            return True
    return False


# -- N13 --------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", [Endpoint, lambda url, api_key: loopback(url, token=api_key)])
async def test_N13_the_provider_is_awaited_at_every_connect(
    where: Callable[..., Endpoint],
) -> None:
    identity = Identity()
    async with serve(identity.admits(1)) as server:
        endpoint = where(server.url, api_key=identity)
        assert identity.asked == 0, "nothing is asked for before it is needed"
        for number in (1, 2, 3):
            server.policy = identity.admits(number)
            async with Client(endpoint=endpoint, model="m"):
                assert identity.asked == number
        assert [hello.api_key for hello in server.handshakes] == [
            f"{TOKEN}-{number}" for number in (1, 2, 3)
        ]


async def test_N13_a_reconnection_comes_with_a_new_token() -> None:
    identity = Identity()
    async with serve(identity.admits(1)) as server:
        endpoint = Endpoint(server.url, api_key=identity)
        async with Client(endpoint=endpoint, reconnect=AT_ONCE) as client:
            for number in (2, 3):
                server.policy = identity.admits(number)
                changes = client.connections()
                server.connections[-1].drop()
                assert await reconnected(changes)
                await client.send_text("still there")
        assert identity.asked == len(server.sessions) == 3


async def test_N13_a_provider_that_is_down_for_a_moment_ends_no_call() -> None:
    answers: list[str | OSError] = ["first", OSError(TOKEN), TimeoutError(TOKEN), "second"]

    async def provider() -> str:
        answer = answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer

    async with serve(FAST) as server:
        endpoint = Endpoint(server.url, api_key=provider)
        async with Client(endpoint=endpoint, reconnect=AT_ONCE) as client:
            changes = client.connections()
            server.connections[0].drop()
            assert await reconnected(changes)
        assert [hello.api_key for hello in server.handshakes] == ["first", "second"]


async def test_N13_a_provider_that_is_wrong_is_asked_once_and_said_to_be() -> None:
    answers: list[Any] = ["first", None, "second"]

    async def provider() -> str:
        return answers.pop(0)  # type: ignore[no-any-return]  # what is wrong with it

    async with serve(FAST) as server:
        endpoint = Endpoint(server.url, api_key=provider)
        async with Client(endpoint=endpoint, reconnect=AT_ONCE) as client:
            changes = client.connections()
            server.connections[0].drop()
            with pytest.raises(ConnectionFailed, match="returned NoneType") as caught:
                await reconnected(changes)
            with pytest.raises(ConnectionFailed, match="returned NoneType"):
                await client.send_text("nobody is there")
        assert not caught.value.retryable
        assert answers == ["second"]


async def test_N13_a_provider_that_fails_is_not_asked_for_the_servers_opinion() -> None:
    async def provider() -> str:
        raise TimeoutError(f"no answer to {TOKEN}")

    async with serve(FAST) as server:
        with pytest.raises(CredentialFailed, match="raised TimeoutError") as caught:
            async with Client(endpoint=Endpoint(server.url, api_key=provider)):
                pass
        assert not server.handshakes
    assert caught.value.retryable
    assert TOKEN not in seen_by_collectors(caught.value)


# -- N15 --------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenAI's key is set, as on many a machine."""
    monkeypatch.setenv("OPENAI_API_KEY", OPENAI_KEY)
    for name in ("OPENAI_BASE_URL", "AZURE_OPENAI_API_KEY", "AZURE_OPENAI_AD_TOKEN", "XAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


@contextmanager
def everything_is_logged() -> Iterator[io.StringIO]:
    """The text of every record of every logger, as a handler at the root writes it."""
    text = io.StringIO()
    handler, root = logging.StreamHandler(text), logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield text
    finally:
        root.setLevel(before)
        root.removeHandler(handler)


@asynccontextmanager
async def refusing() -> AsyncIterator[tuple[str, list[bytes]]]:
    async with http(reply("401 Unauthorized", f"not {TOKEN}".encode())) as server:
        yield server


async def test_N15_a_key_of_openai_in_the_environment_never_goes_to_azure() -> None:
    async with refusing() as (url, requests):
        with pytest.raises(HandshakeRefused) as caught:
            async with Client(endpoint=loopback(url, token=TOKEN), model="m"):
                pass
    assert requests[0].startswith(b"GET /openai/v1/realtime?model=m HTTP")
    assert f"Authorization: Bearer {TOKEN}\r\n".encode() in requests[0]
    assert requests[0].lower().count(b"authorization") == 1
    assert b"api-key" not in requests[0].lower()
    assert OPENAI_KEY.encode() not in requests[0]
    assert caught.value.status == 401


@pytest.mark.parametrize(
    "given",
    [{"endpoint": None}, {"api_key": TOKEN}, {"headers": {"xi-api-key": TOKEN}}],
    ids=["azure", "endpoint", "headers"],
)
async def test_N15_nor_to_any_other_endpoint(given: dict[str, Any]) -> None:
    async with refusing() as (url, requests):
        own = "endpoint" in given
        endpoint = loopback(url, api_key=TOKEN) if own else Endpoint(url, **given)
        with pytest.raises(HandshakeRefused):
            async with Client(endpoint=endpoint, model="m"):
                pass
        with pytest.raises(HandshakeRefused):
            async with Client(endpoint=url):
                pass
    assert TOKEN.encode() in requests[0]
    assert TOKEN.encode() not in requests[1]
    assert OPENAI_KEY.encode() not in b"".join(requests)


CREDENTIALS: dict[str, Callable[[str], Endpoint]] = {
    "Authorization": lambda url: Endpoint(url, api_key=TOKEN),
    "api-key": lambda url: loopback(url, api_key=TOKEN),
    "xi-api-key": lambda url: Endpoint(url, api_key=TOKEN, key_header="xi-api-key"),
    "X-Gateway-Key": lambda url: Endpoint(url, headers={"X-Gateway-Key": TOKEN}),
    "Cookie": lambda url: Endpoint(url, headers={"Cookie": f"session={TOKEN}"}),
}


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Elsewhere", "308 Elsewhere"])
@pytest.mark.parametrize("header", CREDENTIALS)
async def test_N15_a_redirect_is_never_followed(header: str, status: str) -> None:
    async with http(reply("200 OK")) as (elsewhere, visits):
        redirect = reply(status, headers={"Location": f"{elsewhere}?model=m"})
        async with http(redirect) as (url, requests):
            with pytest.raises(HandshakeRefused, match="redirects are not followed") as caught:
                async with Client(endpoint=CREDENTIALS[header](url), model="m"):
                    pass
    assert f"\r\n{header}: ".encode() in requests[0]
    assert requests[0].count(TOKEN.encode()) == 1
    assert visits == []
    assert not caught.value.retryable


@pytest.mark.parametrize("header", CREDENTIALS)
async def test_N15_a_credential_is_in_no_log_error_or_trace(header: str) -> None:
    texts: list[str] = []
    with everything_is_logged() as log:
        async with serve(FAST) as server, refusing() as (url, requests):
            for there in (server.url, url, "ws://127.0.0.1:1/v1/realtime"):
                endpoint = CREDENTIALS[header](there)
                client = Client(endpoint=endpoint, model="m")
                try:
                    async with client:
                        await client.send_text("hello")
                except ConnectFailed as error:
                    texts.append(seen_by_collectors(error))
                texts += [repr(endpoint), repr(client), str(vars(client))]
            hello = server.handshakes[0]
    assert TOKEN in str(hello.headers)
    assert TOKEN.encode() in requests[0]
    assert len(texts) == 11, "two of three came to nothing"
    assert "not ***" in texts[3]
    assert "[hidden]" in log.getvalue()
    for text in (*texts, log.getvalue()):
        assert TOKEN not in text


async def test_N15_each_function_takes_its_own_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "of-azure")
    monkeypatch.setenv("XAI_API_KEY", "of-xai")
    endpoints = [OpenAI(), Azure("https://mine.openai.azure.com"), XAI()]
    headers = [dict(await endpoint.connect_headers()) for endpoint in endpoints]
    assert headers == [
        {"Authorization": f"Bearer {OPENAI_KEY}"},
        {"api-key": "of-azure"},
        {"Authorization": "Bearer of-xai"},
    ]
