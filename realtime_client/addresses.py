"""How the address of a session is read from what people paste, and what is asked of it.

What people have is seldom the URL of a session. It is the base URL of a REST API, with or
without its version; an Azure resource; a URL from an old page, with a query. Where only one
address can be meant, it is completed; where it is Azure's retired preview, the error says
what to write in its place; where there is no scheme, nothing is guessed and nothing is
repeated, because a key pasted into the wrong argument looks just like that.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Final, Self
from urllib.parse import SplitResult, parse_qsl, quote, urlencode, urlsplit, urlunsplit

from realtime_client.errors import UsageError
from realtime_client.redaction import HIDDEN
from realtime_client.targets import Target

__all__ = ["Address", "is_azure", "is_loopback", "secrets_in", "shown"]

_SCHEMES: Final = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}

_NAMING: Final = frozenset({"model", "intent", "call_id"})
"""Parameters of the query that say what a session is."""

_SECRETS: Final = frozenset({"access_token", "api-key", "api_key", "key", "token"})
"""Parameters of the query that some servers take a credential from."""

_AZURE: Final = re.compile(r".+\.(openai|cognitiveservices|services\.ai)\.azure\.(com|us|cn)")
"""Where resources of Azure are, and not a machine that somebody has rented there."""

_HOST: Final = re.compile(r"(\[[0-9a-fA-F:.]+\]|[\w.-]+)(:\d+)?")
"""A host with its port, and nothing of a user or a password."""

_TAIL: Final = re.compile(r"(/openai)?(/v1)?(/realtime)?")
"""The end of a path as it is pasted, of which each part may be missing."""

_TRANSLATIONS: Final = "/realtime/translations"


@dataclass(frozen=True, slots=True)
class Address:
    """The URL of a server, taken apart. `query` is never shown."""

    scheme: str
    netloc: str
    host: str
    path: str
    query: tuple[tuple[str, str], ...]

    @classmethod
    def read(cls, url: str) -> Self:
        """Take a URL apart; `http` and `https` are `ws` and `wss`.

        Raises:
            UsageError: It is not the URL of a server, or has a user and a password.
        """
        parts = _split(url)
        if parts.username or parts.password:
            raise UsageError("put the credential into api_key= or headers=, not into the URL")
        query = tuple(parse_qsl(parts.query, keep_blank_values=True))
        return cls(_SCHEMES[parts.scheme], parts.netloc, parts.hostname or "", parts.path, query)

    def __repr__(self) -> str:
        return f"<Address {self.scheme}://{self.netloc}{self.path}>"

    # -- completing -------------------------------------------------------------------

    def completed(self) -> Self:
        """The address of a session, where this is the beginning of one.

        A path of one's own is left alone; a host, and a base URL that ends in `/v1`, are
        followed by what is missing.

        Raises:
            UsageError: It is of Azure's retired preview.
        """
        self._refuse_preview()
        path, root = self._tidy_path, _root(self.host)
        usual = _TAIL.fullmatch(path) is not None
        if root and usual:
            path = f"{root}/realtime"
        elif not path:
            path = "/v1/realtime"
        elif path.endswith("/v1"):
            path = f"{path}/realtime"
        return replace(self, path=path) if usual or path.endswith("/v1/realtime") else self

    def as_base_url(self) -> Self:
        """The address of a session beneath a base URL of the `openai` package.

        Raises:
            UsageError: It is Azure, where OpenAI's key is none.
        """
        if is_azure(self.host):
            raise UsageError(
                "this is Azure, which has credentials of its own: write "
                f"endpoint=Azure('https://{self.netloc}') in place of base_url="
            )
        whole = self.completed()
        path = whole._tidy_path
        if not path.endswith(("/realtime", _TRANSLATIONS)):
            path = f"{path}/realtime"
        return replace(whole, path=path)

    def as_azure(self) -> Self:
        """The address of a session at an Azure resource, or at a gateway before one.

        Raises:
            UsageError: It is of Azure's retired preview, of Voice Live, or another's.
        """
        if _root(self.host) == "/v1":
            raise UsageError(f"{self.host} is not Azure, whose credential is not for it")
        if self._is_voice_live:
            raise UsageError(
                "Azure Voice Live is another service with a dialect of its own: write "
                "Endpoint(url, api_key=..., key_header='api-key', dialect=VOICE_LIVE)"
            )
        self._refuse_preview()
        return replace(self, path=f"{_before_tail(self._tidy_path)}/openai/v1/realtime")

    def _refuse_preview(self) -> None:
        query = {name.lower(): value for name, value in self.query}
        prefix, deployments, rest = self._tidy_path.partition("/openai/deployments/")
        azure = is_azure(self.host) and not self._is_voice_live
        beneath = azure or "openai" in self.path.split("/")
        if not deployments and not (beneath and {"api-version", "deployment"} & query.keys()):
            return
        named = rest.partition("/")[0] or query.get("deployment")
        deployment = repr(named) if named else "..., the name of the deployment"
        raise UsageError(
            "this is an address of Azure's preview, which was retired on 2026-04-30: write "
            f"endpoint=Azure('https://{self.netloc}{_before_tail(prefix)}') and "
            f"model={deployment}; there is no api-version any more"
        )

    @property
    def _tidy_path(self) -> str:
        """The path with one slash between its parts and none at its end."""
        return re.sub("/+", "/", self.path).rstrip("/")

    @property
    def _is_voice_live(self) -> bool:
        return "voice-live" in self.path.split("/")

    # -- what is known of it ------------------------------------------------------------

    @property
    def is_plain(self) -> bool:
        """Whether anybody on the way could read what is sent."""
        return self.scheme == "ws"

    @property
    def target(self) -> Target | None:
        """What the URL itself asks for; None where it names nothing."""
        named = {name: value for name, value in self.query if value.strip()}
        if "call_id" in named:
            return Target.sideband(named["call_id"])
        if named.get("intent") == "transcription":
            return Target.transcription()
        if "model" not in named:
            return None
        makes = Target.translation if self._translates else Target.realtime
        return makes(named["model"])

    @property
    def _translates(self) -> bool:
        return self._tidy_path.endswith(_TRANSLATIONS)

    # -- opening ----------------------------------------------------------------------

    def url(self) -> str:
        """The whole of it, with its query."""
        encoded = urlencode(self.query, quote_via=quote)
        return urlunsplit((self.scheme, self.netloc, self.path, encoded, ""))

    def opened(self, target: Target) -> str:
        """The URL at which this is asked for.

        Raises:
            UsageError: The address is for translations only, and this is none.
        """
        if self._translates and target.kind != "translation":
            raise UsageError(f"{shown(self.url())} is for translation; this is {target.kind}")
        path = self.path
        if target.kind == "translation" and not self._translates:
            path = f"{self._tidy_path}/translations"
        rest = tuple(pair for pair in self.query if pair[0] not in _NAMING)
        return replace(self, path=path, query=(*rest, target.query)).url()


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def secrets_in(url: str) -> tuple[str, ...]:
    """The credentials in the query of a URL, as far as the names there tell."""
    query = parse_qsl(url.partition("?")[2])
    return tuple(value for name, value in query if name.lower() in _SECRETS)


def shown(url: str) -> str:
    """A URL fit to be shown: without user, password and query, where secrets may be."""
    address = url.partition("?")[0].partition("#")[0]
    scheme, separator, rest = address.partition("://")
    host, slash, path = rest.partition("/")
    host = host.rpartition("@")[2]
    if not separator:
        return HIDDEN
    # An "@" farther on, or a host that can be none: the beginning may be of a password.
    fits = _HOST.fullmatch(host) is not None and "@" not in path
    return f"{scheme}://{host}{slash}{path}" if fits else f"{scheme}://{HIDDEN}"


def _split(url: str) -> SplitResult:
    """The parts of what can be the URL of a server."""
    text = url.strip()
    if "://" not in text:
        # It may be a key in the wrong argument, so it is not repeated.
        raise UsageError(_NO_URL.format("an endpoint without a scheme"))
    try:
        parts = urlsplit(text)
        fits = parts.scheme in _SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets or a port that cannot be
        fits = False
    if not fits or any(letter.isspace() or letter < " " for letter in text):
        raise UsageError(_NO_URL.format(repr(shown(text))))
    return parts


_NO_URL: Final = "{} is not the URL of a server; it looks like wss://api.openai.com/v1/realtime"


def _root(host: str) -> str | None:
    """Where the API of a host is that is known."""
    if is_azure(host):
        return "/openai/v1"
    own = host in {"api.openai.com", "api.x.ai"} or host.endswith(".api.openai.com")
    return "/v1" if own else None


def is_azure(host: str) -> bool:
    """Whether a host is a resource of Azure's."""
    return _AZURE.fullmatch(host) is not None


def _before_tail(path: str) -> str:
    """What of a path is a gateway's own."""
    for start in (match.start() for match in re.finditer("/", path)):
        if _TAIL.fullmatch(path[start:]):
            return path[:start]
    return path
