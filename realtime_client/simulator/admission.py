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

__all__ = ["Hello", "admit"]


@dataclass(frozen=True, kw_only=True)
class Hello:
    """What a client says before its first event: query and headers of the handshake.

    `model` is the query's, `api_key` from `Authorization: Bearer` or `api-key`, `beta` the
    value of `OpenAI-Beta`. Each is None where the client did not send it.
    """

    model: str | None = None
    api_key: str | None = field(default=None, repr=False)
    beta: str | None = None

    @classmethod
    def from_handshake(cls, url: str, headers: Iterable[tuple[str, str]]) -> Self:
        """Read the URL (or its path and query) and the headers of a handshake."""
        query = parse_qs(urlsplit(url).query)
        fields = {name.lower(): value for name, value in headers}
        scheme, _, token = fields.get("authorization", "").partition(" ")
        bearer = token.strip() if scheme.lower() == "bearer" else None
        return cls(
            model=query.get("model", [None])[0],
            api_key=bearer or fields.get("api-key"),
            beta=fields.get("openai-beta"),
        )


def admit(hello: Hello, policy: SimulatorPolicy) -> tuple[Refusal, int] | None:
    """Return why this client gets no session, and the close code; None lets it in."""
    if policy.api_keys is not None and hello.api_key not in policy.api_keys:
        message = "Incorrect API key provided." if hello.api_key else "No API key was provided."
        return Refusal("invalid_api_key", message), 3000
    if hello.beta == "realtime=v1":
        message = "The beta shape of this API is gone; leave out the header 'OpenAI-Beta'."
        return Refusal("beta_api_shape_disabled", message), 4000
    if not hello.model:
        return Refusal("missing_model", "A session needs a model: '?model=...'.", "model"), 4000
    if policy.models is not None and hello.model not in policy.models:
        return Refusal("invalid_model", f"There is no model '{hello.model}'.", "model"), 4000
    return None
