"""What is said about a connection that did not come about, for each reason there is."""

from __future__ import annotations

import logging
import ssl
from typing import Any

import pytest
from websockets.datastructures import Headers
from websockets.exceptions import (
    InvalidHandshake,
    InvalidHeader,
    InvalidProxy,
    InvalidProxyMessage,
    InvalidProxyStatus,
    InvalidStatus,
    InvalidURI,
    WebSocketException,
)
from websockets.frames import Frame, Opcode
from websockets.http11 import Response

from realtime_client.errors import CertificateRefused, ConnectFailed, HandshakeRefused
from realtime_client.handshake import Attempt, HideSecrets

KEY = "sk-very-secret"
URL = f"wss://a.b/r?model=m&token={KEY}"
WAY = f"http://me:{KEY}@proxy.example:3128"

DIRECT = Attempt(URL, {"api-key": KEY})
PROXIED = Attempt(URL, {}, WAY)


def certificate(code: int) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = code, "the reason."
    return error


def caused_by(error: Exception) -> Exception:
    """As trio reports it."""
    broken = RuntimeError()
    broken.__cause__ = error
    return broken


def response(status: int, body: bytes = b"") -> Response:
    return Response(status, "", Headers(), body)


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (TimeoutError("x"), ConnectFailed, "no answer from wss://a.b/r in time"),
        (OSError(111, "refused"), ConnectFailed, "cannot reach wss://a.b/r: [Errno 111] refused"),
        (OSError(), ConnectFailed, "cannot reach wss://a.b/r: OSError"),
        (UnicodeError("bad label"), ConnectFailed, "cannot reach wss://a.b/r: bad label"),
        (RuntimeError(KEY), ConnectFailed, "cannot reach wss://a.b/r: the connection broke"),
        (certificate(18), CertificateRefused, "is not to be trusted: the reason; where its auth"),
        (certificate(62), CertificateRefused, "certificate of wss://a.b/r is not to be trusted"),
        (caused_by(certificate(18)), CertificateRefused, "is not to be trusted: the reason; wh"),
        (ssl.SSLError(1, "broken"), ConnectFailed, "no TLS with wss://a.b/r: "),
        (caused_by(ssl.SSLError(1, "broken")), ConnectFailed, "no TLS with wss://a.b/r: "),
        (InvalidStatus(response(500, b"why")), HandshakeRefused, "with HTTP 500: why"),
        (InvalidHandshake("no"), ConnectFailed, "wss://a.b/r does not speak WebSocket: no"),
        (InvalidHeader("Upgrade", KEY), ConnectFailed, "wss://a.b/r answered the handshake with"),
        (InvalidURI(URL, "no"), ConnectFailed, "wss://a.b/r is not a URL to connect to"),
        (InvalidProxy(WAY, "no"), ConnectFailed, "see HTTPS_PROXY, cannot be used"),
        (InvalidProxyMessage(KEY), ConnectFailed, "see HTTPS_PROXY, cannot be used"),
        (
            InvalidProxyStatus(response(407)),
            ConnectFailed,
            "see HTTPS_PROXY, refused to connect wi",
        ),
        (ValueError(f"port {KEY}"), ConnectFailed, "see HTTPS_PROXY, cannot be used"),
        (ImportError("x"), ConnectFailed, "python-socks"),
        (WebSocketException(KEY), ConnectFailed, "cannot reach wss://a.b/r: the connection broke"),
    ],
)
def test_each_reason_has_words_of_ours(
    error: Exception, kind: type[ConnectFailed], words: str
) -> None:
    failed = DIRECT.failed(error)
    assert type(failed) is kind
    assert words in str(failed)
    for attempt in (DIRECT, PROXIED):
        assert KEY not in str(attempt.failed(error))
        assert KEY not in repr(attempt)


@pytest.mark.parametrize("code", [62, 64])
def test_another_context_is_no_help_where_the_host_is_another(code: int) -> None:
    assert str(DIRECT.failed(certificate(code))).endswith("not to be trusted: the reason")
    assert "ssl=" in str(DIRECT.failed(certificate(10)))


@pytest.mark.parametrize(
    "error", [OSError("x"), RuntimeError(), InvalidProxyStatus(response(407)), InvalidProxy("", "")]
)
def test_a_proxy_that_was_named_is_named(error: Exception) -> None:
    assert "the proxy http://proxy.example:3128" in str(PROXIED.failed(error))
    assert "HTTPS_PROXY" not in str(PROXIED.failed(error))


@pytest.mark.parametrize(
    ("status", "advice"),
    [(401, "belongs to another endpoint"), (403, "may not use"), (404, "/v1/realtime"),
     (307, "redirects are not followed"), (300, "redirects are not followed")],
)  # fmt: skip
def test_a_status_comes_with_advice(status: int, advice: str) -> None:
    assert advice in str(DIRECT.failed(InvalidStatus(response(status))))


@pytest.mark.parametrize(
    "value", [KEY, f"Bearer {KEY}", f"Token {KEY}", f"session={KEY}; x=1", f"a,{KEY}", f"k={KEY}=="]
)
def test_what_a_server_repeats_of_a_credential_is_cut_out(value: str) -> None:
    said = f"model m: {KEY} and {value} and x=1".encode()
    refused = Attempt("wss://a.b/r?model=m", {"X": value}).failed(
        InvalidStatus(response(401, said))
    )
    assert isinstance(refused, HandshakeRefused)
    assert refused.body.startswith("model m: *** and ")
    assert KEY not in str(refused)


def test_what_a_server_repeats_of_a_credential_in_the_query_is_cut_out() -> None:
    refused = Attempt(URL, {}).failed(InvalidStatus(response(401, f"m, {KEY}".encode())))
    assert isinstance(refused, HandshakeRefused)
    assert refused.body == "m, ***"


def test_what_a_server_repeats_of_anything_else_stays() -> None:
    said = b"gpt-realtime-9 is no model; host a.b; websocket; x=1"
    headers = {"Host": "gpt-realtime-9", "Upgrade": "websocket", "X-Short": "x=1"}
    url = "wss://a.b/r?model=gpt-realtime-9"
    refused = Attempt(url, headers).failed(InvalidStatus(response(401, said)))
    assert isinstance(refused, HandshakeRefused)
    assert refused.body == said.decode()


def test_of_a_long_body_the_beginning_is_passed_on() -> None:
    said = b"x" * 495 + KEY.encode() + b"y" * 10_000 + b"\xff"
    refused = DIRECT.failed(InvalidStatus(response(500, said)))
    assert isinstance(refused, HandshakeRefused)
    assert refused.body == "x" * 495 + "***yy"


@pytest.mark.parametrize(
    ("message", "args", "text"),
    [
        ("> GET %s HTTP/1.1", (f"/r?key={KEY}",), "> GET /r HTTP/1.1"),
        ("> %s: %s", ("Authorization", KEY), "> Authorization: [hidden]"),
        ("> %s: %s", ("X-Anything", KEY), "> X-Anything: [hidden]"),
        ("> %s: %s", ("Host", "a.b"), "> Host: a.b"),
        ("> %s: %s", ("Sec-WebSocket-Key", "x"), "> Sec-WebSocket-Key: x"),
        ("< %s: %s", ("Set-Cookie", KEY), "< Set-Cookie: [hidden]"),
        ("< %s: %s", ("Date", "today"), "< Date: today"),
        ("> %s", (Frame(Opcode.TEXT, KEY.encode()),), "> TEXT [14 bytes]"),
        ("< %s", (Frame(Opcode.BINARY, KEY.encode()),), "< BINARY [14 bytes]"),
        ("> %s", (Frame(Opcode.PING, b"ping"),), "> PING 'ping' [text, 4 bytes]"),
        ("= connection is %s", ("OPEN",), "= connection is OPEN"),
    ],
)
def test_what_is_logged(message: str, args: Any, text: str) -> None:
    record = logging.LogRecord("x", logging.DEBUG, "x", 1, message, args, None)
    assert HideSecrets().filter(record)
    assert record.getMessage() == text
