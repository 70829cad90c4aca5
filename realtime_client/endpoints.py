"""Where a session lives, and the credential that belongs there and nowhere else.

An endpoint is a frozen value: an address, a credential, a dialect. The credential belongs
to this one address: it is never sent to another, never follows a redirect, and is in no
repr. A variable of the environment is read by the endpoint that it is named after and by no
other, so that a key that happens to be set goes nowhere by chance. Over plain `ws://` a
credential goes to loopback only, because anybody on the way could read it, or to a host that
was named for it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from realtime_client.addresses import Address, is_azure, is_loopback, secrets_in, shown
from realtime_client.credentials import Credential, Headers, Secret, check_name
from realtime_client.dialects import GA, XAI_GROK, Dialect
from realtime_client.errors import MissingCredentials, UsageError
from realtime_client.targets import Target

__all__ = [
    "DEFAULT_MODEL",
    "XAI",
    "Azure",
    "Endpoint",
    "Headers",
    "OpenAI",
    "is_loopback",
    "shown",
]

DEFAULT_MODEL: Final = "gpt-realtime"

AUTHORIZATION: Final = "Authorization"
"""The header whose value is `Bearer` and the credential; any other is the credential alone."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Any server that speaks the Realtime protocol.

    `url` is `wss://host/v1/realtime` or the like, in `ws`, `http` or `https` as well; a host
    alone, and a base URL that ends in `/v1`, are completed. Its query stays.

    `api_key` is a text, or an async function that returns one and is awaited at every
    connect. It is sent as `key_header`: as `Authorization: Bearer`, or by itself in a header
    of another name such as `api-key`. `headers` go with the handshake as they are. None of
    them is ever shown.

    `plain_host` names the one host, beside this machine, to which a credential may go over
    plain `ws://`. `default_model` is asked for where none is named.

    Raises:
        UsageError: Not a URL of a server; Azure's retired preview; a credential that cannot
            be sent, or would go over plain `ws://` to a host that was not allowed.
        MissingCredentials: The credential is empty.
    """

    url: str
    api_key: Credential | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=Headers, repr=False, hash=False)
    dialect: Dialect = GA
    key_header: str = AUTHORIZATION
    plain_host: str | None = None
    default_model: str | None = DEFAULT_MODEL

    def __post_init__(self) -> None:
        if not isinstance(self.url, str):
            raise UsageError(f"url is the URL of a server, a text; got {self.url!r}")
        if not isinstance(self.dialect, Dialect):
            raise UsageError(f"dialect is a Dialect, such as GA; got {self.dialect!r}")
        address = Address.read(self.url).completed()
        headers, key = Headers(self.headers), self.api_key
        if key is not None:
            key = Secret.of(key, "api_key")
            if self.key_header.lower() in map(str.lower, headers):
                raise UsageError(f"{self.key_header} is given twice, by api_key= and by headers=")
            check_name(self.key_header)
        for name, value in (("url", address.url()), ("api_key", key), ("headers", headers)):
            object.__setattr__(self, name, value)  # frozen for everybody else
        if address.is_plain and (key or headers or secrets_in(self.url)):
            self._check_plain(address.host)

    def _check_plain(self, host: str) -> None:
        if is_loopback(host) or host == (self.plain_host or "").lower():
            return
        raise UsageError(
            f"a credential over plain ws:// to {host} could be read by anybody on the way; "
            f"use wss://, or allow this one host: Endpoint(..., plain_host={host!r})"
        )

    def __repr__(self) -> str:
        return f"Endpoint({shown(self.url)!r}, dialect={self.dialect.name!r})"

    def target(self, model: str | None = None) -> Target:
        """What to ask for: this model, what the URL names, or the endpoint's own default.

        Raises:
            UsageError: The URL names something else, or nobody names a model.
        """
        named = Address.read(self.url).target
        if named is None:
            model = model or self.default_model
            if model is None:
                raise UsageError("name the model; on Azure it is the name of a deployment")
            return Target.realtime(model)
        if model is None or model == named.model:
            return named
        name, value = named.query
        raise UsageError(f"model={model!r}, but the URL asks for {name}={value!r}")

    def connect_url(self, target: Target) -> str:
        """The address at which this is asked for, in place of what the URL itself names.

        Raises:
            UsageError: The URL is for translations, and this is none.
        """
        return Address.read(self.url).opened(target)

    async def connect_headers(self) -> Headers:
        """The headers of a handshake now, with the credential.

        Raises:
            CredentialFailed: The function that gives it gave none.
        """
        if not isinstance(self.api_key, Secret):
            return Headers(self.headers)
        key = await self.api_key.reveal()
        scheme = "Bearer " if self.key_header.lower() == AUTHORIZATION.lower() else ""
        return Headers({**self.headers, self.key_header: f"{scheme}{key}"})


def endpoint_of(endpoint: object, api_key: Credential | None) -> Endpoint:
    """The endpoint that was given as `endpoint=` and `api_key=`: one, its URL, or OpenAI's.

    Raises:
        MissingCredentials: No key in either place.
        UsageError: It is no endpoint, has its own credential, or is of a provider that takes
            its key in another way.
    """
    if isinstance(endpoint, Endpoint):
        if api_key is not None:
            raise UsageError("the endpoint has its own credential; give api_key= to one of them")
        return endpoint
    if endpoint is None:
        return OpenAI(api_key)
    if not isinstance(endpoint, str):
        what = "an Endpoint, such as OpenAI(...), or the URL of a server"
        raise UsageError(f"endpoint is {what}; got {endpoint!r}")
    given, host = Endpoint(endpoint, api_key=api_key), Address.read(endpoint).host
    if api_key is not None and is_azure(host):
        instead = f"endpoint=Azure({shown(endpoint)!r}, ...)"
        raise UsageError(f"{host} takes its key in another way: {instead}")
    if host == "api.x.ai":
        raise UsageError("xAI speaks a dialect of its own: endpoint=XAI(...)")
    return given


def OpenAI(
    api_key: Credential | None = None,
    *,
    base_url: str | None = None,
    organization: str | None = None,
    project: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> Endpoint:
    """OpenAI's own server, or a gateway that stands for it.

    `api_key` is a text or an async function. What is not given is read from the environment,
    by the names of the `openai` package: `OPENAI_API_KEY`, `OPENAI_BASE_URL`,
    `OPENAI_ORG_ID`, `OPENAI_PROJECT_ID`.

    Raises:
        MissingCredentials: There is no key in either place.
        UsageError: As `Endpoint`, or `base_url` is Azure's.
    """
    variables = os.environ if environ is None else environ
    key = variables.get("OPENAI_API_KEY") if api_key is None else api_key
    if not key:
        raise MissingCredentials(
            "no API key: set OPENAI_API_KEY, or pass api_key=... . To try it without a key, "
            "talk to the simulator:\n"
            "    from realtime_client.simulator import serve\n"
            "    async with serve() as server, Client(endpoint=server.url) as c: ..."
        )
    base = base_url or variables.get("OPENAI_BASE_URL") or "https://api.openai.com/v1"
    headers = {
        "OpenAI-Organization": organization or variables.get("OPENAI_ORG_ID"),
        "OpenAI-Project": project or variables.get("OPENAI_PROJECT_ID"),
    }
    return Endpoint(
        Address.read(base).as_base_url().url(),
        api_key=key,
        headers={name: value for name, value in headers.items() if value},
    )


def Azure(
    endpoint: str | None = None,
    api_key: Credential | None = None,
    *,
    token: Credential | None = None,
    environ: Mapping[str, str] | None = None,
) -> Endpoint:
    """A resource of Azure OpenAI; the model is the name of a deployment.

    `endpoint` is its address as the portal shows it, `https://RESOURCE.openai.azure.com`.
    `api_key` is sent as `api-key`, an Entra `token` as `Authorization: Bearer`; either is a
    text or an async function, and a token, which expires within the hour, had better be one.
    What is not given is read from the environment, by the names of the `openai` package:
    `AZURE_OPENAI_ENDPOINT`, and `AZURE_OPENAI_AD_TOKEN` or else `AZURE_OPENAI_API_KEY`.

    Raises:
        MissingCredentials: There is neither a key nor a token in either place.
        UsageError: Both are given, there is no address, or it is of the retired preview.
    """
    variables = os.environ if environ is None else environ
    if api_key is not None and token is not None:
        raise UsageError("the credential is given twice: api_key= and token=")
    url = (endpoint or variables.get("AZURE_OPENAI_ENDPOINT") or "").strip()
    if not url:
        raise UsageError(
            "no endpoint: set AZURE_OPENAI_ENDPOINT, or write "
            "Azure('https://RESOURCE.openai.azure.com')"
        )
    if is_azure(url.partition("/")[0].lower()):
        url = f"https://{url}"  # a host alone; nothing else ends like this
    if api_key is None and token is None:
        token = variables.get("AZURE_OPENAI_AD_TOKEN") or None
    key = variables.get("AZURE_OPENAI_API_KEY") if api_key is None else api_key
    if token is None and not key:
        raise MissingCredentials(
            "no credential for Azure: set AZURE_OPENAI_API_KEY, or pass api_key=..., or "
            "token=..., an async function that returns an Entra token"
        )
    return Endpoint(
        Address.read(url).as_azure().url(),
        api_key=key if token is None else Secret.of(token, "token"),
        key_header="api-key" if token is None else AUTHORIZATION,
        default_model=None,
    )


def XAI(api_key: Credential | None = None, *, environ: Mapping[str, str] | None = None) -> Endpoint:
    """xAI's Grok, with `api_key` or the `XAI_API_KEY` of the environment.

    Raises:
        MissingCredentials: There is no key in either place.
    """
    variables = os.environ if environ is None else environ
    key = variables.get("XAI_API_KEY") if api_key is None else api_key
    if not key:
        raise MissingCredentials("no API key for xAI: set XAI_API_KEY, or pass api_key=...")
    return Endpoint(
        "wss://api.x.ai/v1/realtime",
        api_key=key,
        dialect=XAI_GROK,
        default_model="grok-voice-latest",
    )
