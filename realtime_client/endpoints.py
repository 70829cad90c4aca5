"""Where a session lives, and the credential that belongs there and nowhere else.

An endpoint is a frozen value: an address, a credential, a dialect. The credential belongs
to this one address: it is never sent to another, never follows a redirect, and is in no
repr. Over plain `ws://` it goes to loopback only, because anybody on the way could read it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from realtime_client.dialects import GA, Dialect
from realtime_client.errors import MissingCredentials, UsageError

__all__ = ["DEFAULT_MODEL", "Endpoint", "OpenAI", "shown"]

DEFAULT_MODEL: Final = "gpt-realtime"

_SCHEMES: Final = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Any server that speaks the Realtime protocol.

    `url` is `wss://host/v1/realtime` or the like (`ws`, `http` and `https` as well); the
    model is added as `?model=` unless the URL has one. `api_key` is sent as
    `Authorization: Bearer`; `headers` go with the handshake as they are. None of them is
    ever shown.

    Raises:
        UsageError: Not a URL of a server, or a credential over plain `ws://` to a host that
            is not this machine.
    """

    url: str
    api_key: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    dialect: Dialect = GA

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in _SCHEMES or not parts.hostname:
            raise UsageError(
                f"{shown(self.url)!r} is not the URL of a server; "
                "it looks like wss://api.openai.com/v1/realtime"
            )
        if parts.username or parts.password:
            raise UsageError("put the credential into api_key= or headers=, not into the URL")
        plain = _SCHEMES[parts.scheme] == "ws"
        if plain and (self.api_key or self.headers) and not _is_loopback(parts.hostname):
            raise UsageError(
                f"a credential over plain {parts.scheme}:// to {parts.hostname} could be read "
                "by anybody on the way; use wss://"
            )

    def __repr__(self) -> str:
        return f"Endpoint({shown(self.url)!r}, dialect={self.dialect.name!r})"

    def connect_url(self, model: str | None) -> str:
        """The address to open for this model; for None, of a transcription session."""
        parts = urlsplit(self.url)
        query = parse_qsl(parts.query, keep_blank_values=True)
        if not any(name in {"model", "intent", "call_id"} for name, _ in query):
            query.append(("intent", "transcription") if model is None else ("model", model))
        encoded = urlencode(query, quote_via=quote)
        return urlunsplit((_SCHEMES[parts.scheme], parts.netloc, parts.path, encoded, ""))

    def connect_headers(self) -> dict[str, str]:
        """The headers of the handshake, with the credential: keep them off every log."""
        headers = dict(self.headers)
        if self.api_key:
            headers["Authorization"] = f"Bearer {self.api_key}"
        return headers


def OpenAI(api_key: str | None = None, *, environ: Mapping[str, str] | None = None) -> Endpoint:
    """OpenAI's own server, with `api_key` or the `OPENAI_API_KEY` of the environment.

    Raises:
        MissingCredentials: There is no key in either place.
    """
    key = api_key or (os.environ if environ is None else environ).get("OPENAI_API_KEY")
    if not key:
        raise MissingCredentials(
            "no API key: set OPENAI_API_KEY, or pass api_key=... . Without a key, talk to the "
            "simulator: `async with realtime_client.simulator.serve() as server: "
            "async with Client(endpoint=server.url) as c: ...`"
        )
    return Endpoint("wss://api.openai.com/v1/realtime", api_key=key)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def shown(url: str) -> str:
    """A URL fit to be shown: without user, password and query, where secrets may be."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
