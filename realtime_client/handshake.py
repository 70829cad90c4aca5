"""What may be told of a handshake: its failure in this package's words, its log without secrets.

The library's own error quotes a URL with its query, or the URL of a proxy with its password;
a server may repeat the key that it refuses; the library's debug log shows every header and
the ends of every frame. So its errors are put into words here, what a server said is looked
through for what was sent to it, and a filter cuts out of the log what may be secret.
"""

from __future__ import annotations

import logging
import re
import ssl
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from websockets.exceptions import (
    InvalidHandshake,
    InvalidHeader,
    InvalidProxy,
    InvalidProxyStatus,
    InvalidStatus,
    InvalidURI,
    ProxyError,
)
from websockets.frames import DATA_OPCODES, Frame
from websockets.http11 import Response

from realtime_client.addresses import secrets_in, shown
from realtime_client.errors import (
    CertificateRefused,
    ConnectFailed,
    HandshakeRefused,
)
from realtime_client.patience import retry_after
from realtime_client.redaction import without

__all__ = ["Attempt", "HideSecrets"]

BODY: Final = 500
"""Characters of what a server says to its refusal that are passed on."""

_HARMLESS: Final = frozenset({"host", "upgrade", "connection", "user-agent"})
"""Request headers whose values may be logged, beside `Sec-WebSocket-*`. Any other may hold
a credential: who knows what a gateway calls its own."""

_OTHER_HOST: Final = frozenset({62, 64})
"""OpenSSL's `X509_V_ERR_HOSTNAME_MISMATCH` and `X509_V_ERR_IP_ADDRESS_MISMATCH`."""

_ADVICE: Final[Mapping[int, str]] = {
    401: "; the key is wrong, has expired, or belongs to another endpoint",
    403: "; the key may not use this model or this endpoint",
    404: "; is the path right? It usually ends in /v1/realtime",
}


_NO_KEY: Final = (
    "; no credential was sent: the URL of a server takes none from the environment. "
    "Pass api_key=, or an endpoint such as OpenAI()"
)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at a connection: where, with what, and by way of which proxy.

    `proxy` is its URL, None where the environment decides or there is none.
    """

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    proxy: str | None = field(default=None, repr=False)

    def failed(self, error: Exception) -> ConnectFailed:
        """The library's error, or the network's, in this package's words."""
        address = shown(self.url)
        tls = _tls_error(error)
        if isinstance(tls, ssl.SSLCertVerificationError):
            return _untrusted(tls, address)
        if tls is not None:
            return ConnectFailed(f"no TLS with {address}: {tls}")
        match error:
            case InvalidStatus():
                return self._refused(error.response)
            case TimeoutError():
                return ConnectFailed(f"no answer from {address} in time")
            case InvalidProxyStatus():
                status = error.response.status_code
                return ConnectFailed(f"{self._proxy} refused to connect with HTTP {status}")
            case InvalidProxy() | ProxyError():
                return ConnectFailed(f"{self._proxy} cannot be used")
            case ImportError():
                return ConnectFailed("a SOCKS proxy needs the package python-socks[asyncio]")
            case InvalidHeader():
                return ConnectFailed(f"{address} answered the handshake with a bad header")
            case InvalidHandshake():
                return ConnectFailed(f"{address} does not speak WebSocket: {error}")
            case InvalidURI():
                return ConnectFailed(f"{address} is not a URL to connect to")
            case OSError() | UnicodeError():
                words = str(error) or type(error).__name__
                return ConnectFailed(f"cannot reach {address}{self._way}: {words}")
            case ValueError():  # the port of a proxy, which nobody has looked at before
                return ConnectFailed(f"{self._proxy} cannot be used")
            case _:
                return ConnectFailed(f"cannot reach {address}{self._way}: the connection broke")

    def _refused(self, response: Response) -> HandshakeRefused:
        status, body = response.status_code, bytes(response.body or b"")
        words = without(body.decode("utf-8", "replace"), self._secrets())[:BODY].strip()
        said = {name.lower(): value for name, value in response.headers.raw_items()}
        wait = retry_after(said, time.time())
        advice = _ADVICE.get(status, "")
        if status in (401, 403) and all(map(_is_harmless, self.headers)):
            advice = _NO_KEY
        if 300 <= status < 400:
            advice = "; redirects are not followed, so that a key never reaches another host"
        return HandshakeRefused(status, words, advice, retry_after=wait)

    def _secrets(self) -> Iterable[str]:
        yield from secrets_in(self.url)
        for name, value in self.headers.items():
            if not _is_harmless(name):
                yield value
                yield from re.split("[ ;,=]+", value)  # "Bearer ...", "session=...; ..."

    @property
    def _proxy(self) -> str:
        if self.proxy is None:
            return "the proxy of the environment, see HTTPS_PROXY,"
        return f"the proxy {shown(self.proxy)}"

    @property
    def _way(self) -> str:
        return f" by way of {self._proxy}" if self.proxy is not None else ""


class HideSecrets(logging.Filter):
    """The library logs the handshake and every frame; what may be secret is cut out of it."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Never drops a record, only hides parts of it."""
        match record.msg, record.args:
            case "> GET %s HTTP/1.1", (str(path),):
                record.args = (path.partition("?")[0],)
            case "> %s: %s", (str(name), _) if not _is_harmless(name):
                record.args = (name, "[hidden]")
            case "< %s: %s", (str(name), _) if name.lower() == "set-cookie":
                record.args = (name, "[hidden]")
            case "> %s" | "< %s", (Frame() as frame,) if frame.opcode in DATA_OPCODES:
                # A `session.update` may carry what opens the servers of its tools.
                record.args = (f"{frame.opcode.name} [{len(frame.data)} bytes]",)
        return True


def _is_harmless(name: str) -> bool:
    return name.lower() in _HARMLESS or name.lower().startswith("sec-websocket-")


def _untrusted(error: ssl.SSLCertVerificationError, address: str) -> CertificateRefused:
    advice = "; where its authority is your own, pass ssl=, a context that knows it"
    if error.verify_code in _OTHER_HOST:
        advice = ""
    words = error.verify_message.rstrip(".")
    return CertificateRefused(f"the certificate of {address} is not to be trusted: {words}{advice}")


def _tls_error(error: BaseException) -> ssl.SSLError | None:
    """What went wrong with TLS. Trio reports it as a broken stream, for this cause."""
    cause = error if isinstance(error, ssl.SSLError) else error.__cause__
    return cause if isinstance(cause, ssl.SSLError) else None
