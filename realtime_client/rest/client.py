"""The REST calls of a Realtime server: keys that expire, and calls."""

from __future__ import annotations

from ssl import SSLContext
from types import TracebackType
from typing import Literal, Self

from realtime_client.credentials import Credential
from realtime_client.endpoints import Endpoint, endpoint_of
from realtime_client.given import check_kind, check_seconds
from realtime_client.rest.calls import Calls
from realtime_client.rest.client_secrets import ClientSecrets
from realtime_client.rest.line import Line
from realtime_client.rest.retry import Retry

__all__ = ["Rest"]


class Rest:
    """`client_secrets` and `calls` of an endpoint. Use it as `async with Rest(...) as rest:`.

    `endpoint` is an `Endpoint` or a URL, the same as for `Client`; without one it is OpenAI,
    with `OPENAI_API_KEY`. Its credential goes with every request, to this address only; a
    function that gives it is awaited each time.

    `open_timeout` seconds for connecting, `timeout` seconds for each further step of a try.
    `retry` says how often what failed is tried, and bounds all tries of one request together;
    None tries once. `ssl` is a context for TLS, `proxy` is as for `Client`: True takes
    those of the environment (for TLS to other machines), None takes none, a URL that one. Both
    are for TLS only.

    Entering sends nothing. One `Rest` serves any number of tasks; making one costs some
    20 ms of reading certificates, so keep it.

    Raises:
        MissingCredentials: No endpoint, and no key in the environment.
        UsageError: Something that cannot be; nothing was sent.
    """

    def __init__(
        self,
        endpoint: Endpoint | str | None = None,
        *,
        api_key: Credential | None = None,
        timeout: float = 30.0,
        open_timeout: float = 10.0,
        retry: Retry | None = Retry(),  # noqa: B008 - frozen
        ssl: SSLContext | None = None,
        proxy: Literal[True] | str | None = True,
    ) -> None:
        check_seconds("timeout", timeout, zero=False)
        check_seconds("open_timeout", open_timeout, zero=False)
        check_kind("retry", retry, Retry, "a Retry(...), or None for never")
        self._line = Line(
            endpoint_of(endpoint, api_key),
            timeout=timeout,
            open_timeout=open_timeout,
            retry=retry or Retry(tries=1),
            ssl=ssl,
            proxy=proxy,
        )
        self.client_secrets = ClientSecrets(self._line)
        self.calls = Calls(self._line)

    def __repr__(self) -> str:
        return f"<Rest {self._line.base}>"

    async def __aenter__(self) -> Self:
        """Nothing is sent yet.

        Raises:
            ConnectFailed: The proxy cannot be used.
        """
        self._line.open()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._line.aclose()
