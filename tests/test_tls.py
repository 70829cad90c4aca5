"""Over TLS: whom the client believes, and where its key does not go.

The simulator has a certificate of an authority that no machine trusts, so that it is refused
unless the test says otherwise.
"""

from __future__ import annotations

import datetime
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme
from anyio.abc import ByteStream

from realtime_client import Client, Endpoint
from realtime_client.errors import CertificateRefused, ConnectFailed, HandshakeRefused
from realtime_client.simulator import SimulatorPolicy, serve
from realtime_client.transport import connect_websocket
from tests.certificates import AUTHORITY, server_context, trusting
from tests.httpserver import http, listening, reply
from tests.traces import seen_by_collectors

KEY = "sk-very-secret"
FAST = SimulatorPolicy(pace="fast")
HERE = ("127.0.0.1", "localhost")

CREDENTIALS: dict[str, dict[str, Any]] = {
    "Authorization": {"api_key": KEY},
    "api-key": {"api_key": KEY, "key_header": "api-key"},
    "xi-api-key": {"api_key": KEY, "key_header": "xi-api-key"},
    "X-Gateway": {"headers": {"X-Gateway": KEY}},
}


def client(url: str, context: ssl.SSLContext | None = None, **endpoint: Any) -> Client:
    connect = connect_websocket(open_timeout=5, ssl=context)
    return Client(endpoint=Endpoint(url, **{"api_key": KEY, **endpoint}), connect=connect)


@pytest.mark.parametrize("host", HERE)
async def test_a_conversation_over_tls(host: str) -> None:
    async with serve(FAST, ssl=server_context(*HERE)) as server:
        assert server.url.startswith("wss://127.0.0.1:")
        async with client(server.url.replace("127.0.0.1", host), trusting()) as c:
            await c.send_text("hello")
            response = await c.response.create()
            assert (await response.done()).status == "completed"
            assert response.transcript
    assert len(server.sessions) == 1


async def test_a_certificate_is_verified_where_nothing_is_said_about_it() -> None:
    async with serve(FAST, ssl=server_context(*HERE)) as server:
        with pytest.raises(CertificateRefused, match=r"local issuer.* pass ssl=") as caught:
            async with client(server.url):
                pass
        assert not server.sessions
    assert not caught.value.retryable
    assert isinstance(caught.value, ConnectFailed)
    assert KEY not in seen_by_collectors(caught.value)


async def test_and_believed_where_the_machine_knows_its_authority(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    authorities = tmp_path / "authorities.pem"
    AUTHORITY.cert_pem.write_to_path(authorities)
    monkeypatch.setenv("SSL_CERT_FILE", str(authorities))
    async with serve(FAST, ssl=server_context(*HERE)) as server, client(server.url):
        assert len(server.sessions) == 1


async def test_a_certificate_of_another_authority_is_refused() -> None:
    other = trustme.CA()
    async with serve(FAST, ssl=server_context(*HERE, authority=other)) as server:
        with pytest.raises(CertificateRefused):
            async with client(server.url, trusting()):
                pass
        assert not server.sessions
        async with client(server.url, trusting(other)):
            assert len(server.sessions) == 1


@pytest.mark.parametrize("names", [("elsewhere.example",), ("localhost",), ("127.0.0.2",)])
async def test_a_certificate_for_another_host_is_refused(names: tuple[str, ...]) -> None:
    async with serve(FAST, ssl=server_context(*names)) as server:
        with pytest.raises(CertificateRefused, match=r"not valid for '127\.0\.0\.1'$"):
            async with client(server.url, trusting()):
                pass
        assert not server.sessions


async def test_a_certificate_that_has_expired_is_refused() -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    yesterday = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    AUTHORITY.issue_cert(*HERE, not_after=yesterday).configure_cert(context)
    async with serve(FAST, ssl=context) as server:
        with pytest.raises(CertificateRefused, match="expired"):
            async with client(server.url, trusting()):
                pass
        assert not server.sessions


async def test_the_context_that_was_given_decides() -> None:
    careless = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    careless.check_hostname = False
    careless.verify_mode = ssl.CERT_NONE
    async with (
        serve(FAST, ssl=server_context("elsewhere.example")) as server,
        client(server.url, careless),
    ):
        assert len(server.sessions) == 1


async def test_the_client_can_show_a_certificate_of_its_own() -> None:
    asks = server_context(*HERE)
    AUTHORITY.configure_trust(asks)
    asks.verify_mode = ssl.CERT_REQUIRED
    shows = trusting()
    AUTHORITY.issue_cert("a-client.example").configure_cert(shows)
    async with serve(FAST, ssl=asks) as server:
        async with client(server.url, shows):
            assert len(server.sessions) == 1
        with pytest.raises(ConnectFailed):
            async with client(server.url, trusting()):
                pass
        assert len(server.sessions) == 1


async def test_a_server_that_does_not_speak_tls() -> None:
    heard: list[bytes] = []

    async def answer(stream: ByteStream) -> None:
        async with stream:
            heard.append(await stream.receive())
            await stream.send(reply("400 Bad Request"))

    async with serve(FAST) as server, listening(answer) as port:
        for url in (server.url.replace("ws://", "wss://"), f"wss://127.0.0.1:{port}/v1"):
            with pytest.raises(ConnectFailed) as caught:
                async with client(url):
                    pass
            assert not isinstance(caught.value, CertificateRefused)
            assert str(caught.value).startswith(("no TLS with wss://", "cannot reach wss://"))
            assert not str(caught.value).endswith(": ")
        assert not server.sessions
    assert len(heard) == 1
    assert KEY.encode() not in heard[0]


@pytest.mark.parametrize("header", CREDENTIALS)
@pytest.mark.parametrize("elsewhere_is_secure", [True, False])
async def test_a_redirect_is_not_followed_with_the_key(
    header: str, elsewhere_is_secure: bool
) -> None:
    context = server_context(*HERE)
    async with http(reply("200 OK"), context=context if elsewhere_is_secure else None) as (
        elsewhere,
        visits,
    ):
        redirect = reply("307 Elsewhere", headers={"Location": elsewhere})
        async with http(redirect, context=context) as (url, requests):
            endpoint = {"api_key": None, **CREDENTIALS[header]}
            with pytest.raises(HandshakeRefused, match="redirects are not followed"):
                async with client(url, trusting(), **endpoint):
                    pass
    (request,) = requests
    assert f"{header}: ".encode() in request
    assert request.count(KEY.encode()) == 1
    assert visits == []
