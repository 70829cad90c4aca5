"""Who may have a session.

OpenAI's server upgrades every handshake with HTTP 101 and only then says no: one `error`
event and a close, 3000 for the key and 4000 for the rest. So "connected" means that
`session.created` has arrived, and a refusal is something that a session says.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import parse_qs, urlsplit

from realtime_client.simulator.policy import SimulatorPolicy
from realtime_client.simulator.refusal import Refusal

__all__ = ["Hello", "admit", "has_api"]


@dataclass(frozen=True, kw_only=True)
class Hello:
    """What a client says before its first event: query and headers of the handshake.

    `model` and `call_id` are the query's, `api_key` from `Authorization: Bearer` or `api-key`,
    `beta` the value of `OpenAI-Beta`. Each is None where the client did not send it. `url` is
    what it asked for, as it did (a path and a query over a socket), and `headers` are all of
    them, in their order. What may be secret is not in the repr.
    """

    model: str | None = None
    call_id: str | None = None
    api_key: str | None = field(default=None, repr=False)
    beta: str | None = None
    url: str = field(default="", repr=False, compare=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False, compare=False)

    @classmethod
    def from_handshake(cls, url: str, headers: Iterable[tuple[str, str]]) -> Self:
        """Read the URL (or its path and query) and the headers of a handshake."""
        query = parse_qs(urlsplit(url).query)
        said = tuple(headers)
        fields = {name.lower(): value for name, value in said}
        scheme, _, token = fields.get("authorization", "").partition(" ")
        bearer = token.strip() if scheme.lower() == "bearer" else None
        return cls(
            model=query.get("model", [None])[0],
            call_id=query.get("call_id", [None])[0],
            api_key=bearer or fields.get("api-key"),
            beta=fields.get("openai-beta"),
            url=url,
            headers=said,
        )

    def header(self, name: str) -> str | None:
        """Return the value of a header, whatever the case of its name; None without it."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


def has_api(url: str) -> bool:
    """Whether there is a Realtime API at this URL, as far as its path can tell."""
    return urlsplit(url).path.rstrip("/").endswith("/realtime")


def admit(hello: Hello, policy: SimulatorPolicy) -> tuple[Refusal, int] | None:
    """Return why this client gets no session, and the close code; None lets it in.

    Who names a call has no model: that was chosen when the call was accepted.
    """
    if policy.api_keys is not None and hello.api_key not in policy.api_keys:
        message = "Incorrect API key provided." if hello.api_key else "No API key was provided."
        return Refusal("invalid_api_key", message), 3000
    if hello.beta == "realtime=v1":
        message = "The beta shape of this API is gone; leave out the header 'OpenAI-Beta'."
        return Refusal("beta_api_shape_disabled", message), 4000
    if hello.call_id and not hello.model:
        return None
    if not hello.model:
        return Refusal("missing_model", "A session needs a model: '?model=...'.", "model"), 4000
    if policy.models is not None and hello.model not in policy.models:
        return Refusal("invalid_model", f"There is no model '{hello.model}'.", "model"), 4000
    return None
