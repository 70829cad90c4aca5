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
from realtime_client.former import refuse_variable_name

__all__ = ["DEFAULT_MODEL", "Endpoint", "Headers", "OpenAI", "is_loopback", "shown"]

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
    headers: Mapping[str, str] = field(default_factory=dict, repr=False, hash=False)
    dialect: Dialect = GA

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.url)
            fits = parts.scheme in _SCHEMES and bool(parts.hostname) and parts.port != 0
        except ValueError:  # brackets or a port that cannot be
            fits = False
        if not fits:
            raise UsageError(
                f"{shown(self.url)!r} is not the URL of a server; "
                "it looks like wss://api.openai.com/v1/realtime"
            )
        _check_header("api_key", self.api_key or "")
        for name, value in self.headers.items():
            _check_header(f"headers[{name!r}]", value)
        if parts.username or parts.password:
            raise UsageError("put the credential into api_key= or headers=, not into the URL")
        for secret in (self.api_key, *self.headers.values()):
            refuse_variable_name(secret or "", os.environ)
        plain, host = _SCHEMES[parts.scheme] == "ws", parts.hostname or ""
        if plain and (self.api_key or self.headers) and not is_loopback(host):
            raise UsageError(
                f"a credential over plain {parts.scheme}:// to {host} could be read "
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

    def connect_headers(self) -> Headers:
        """The headers of the handshake, with the credential."""
        headers = Headers(self.headers)
        if self.api_key:
            headers["Authorization"] = f"Bearer {self.api_key}"
        return headers


class Headers(dict[str, str]):
    """Headers that do not show their values, wherever a traceback may print them."""

    def __repr__(self) -> str:
        return f"<headers {', '.join(self)}>"


def _check_header(what: str, value: str) -> None:
    """Raise for what cannot be in a header, before a library quotes it in its own error."""
    if value != value.strip() or not all(" " <= letter <= "~" for letter in value):
        raise UsageError(
            f"{what} has a character that cannot be in a header; "
            "is there a line break or a space at its end?"
        )


def OpenAI(api_key: str | None = None, *, environ: Mapping[str, str] | None = None) -> Endpoint:
    """OpenAI's own server, with `api_key` or the `OPENAI_API_KEY` of the environment.

    Raises:
        MissingCredentials: There is no key in either place.
    """
    variables = os.environ if environ is None else environ
    refuse_variable_name(api_key or "", variables)
    key = api_key or variables.get("OPENAI_API_KEY")
    if not key:
        raise MissingCredentials(
            "no API key: set OPENAI_API_KEY, or pass api_key=... . To try it without a key, "
            "talk to the simulator:\n"
            "    from realtime_client.simulator import serve\n"
            "    async with serve() as server, Client(endpoint=server.url) as c: ..."
        )
    return Endpoint("wss://api.openai.com/v1/realtime", api_key=key)


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def shown(url: str) -> str:
    """A URL fit to be shown: without user, password and query, where secrets may be."""
    address = url.partition("?")[0].partition("#")[0]
    scheme, separator, rest = address.rpartition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{separator}{host.rpartition('@')[2]}{slash}{path}"
