"""The connection failed, not the call."""

from __future__ import annotations

from typing import ClassVar

from realtime_client.errors.calls import AcknowledgementTimeout
from realtime_client.errors.root import RealtimeError
from realtime_client.fatal import is_fatal

__all__ = [
    "CertificateRefused",
    "ClientClosed",
    "ConnectFailed",
    "ConnectionFailed",
    "ConnectionLost",
    "CredentialFailed",
    "HandshakeRefused",
    "KeyRefused",
    "ModelRefused",
    "PolicyRefused",
    "ReconnectFailed",
    "SessionRefused",
    "SessionSilent",
]


class ConnectionFailed(RealtimeError):
    """The connection failed, not the call."""

    retryable: ClassVar[bool] = True


class ConnectFailed(ConnectionFailed):
    """No connection could be opened: the address, the network, TLS, or a time-out."""


class CredentialFailed(ConnectFailed):
    """The async function that gives the credential raised, or gave something else.

    What it raised is named, not quoted: the errors of those who hand out tokens may quote
    them. `retryable` where it raised, and not where it returned what is no credential.
    """

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        self._retryable = retryable
        super().__init__(message)

    @property
    def retryable(self) -> bool:  # type: ignore[override]  # an instance knows better here
        """Whether trying again can help."""
        return self._retryable


class CertificateRefused(ConnectFailed):
    """The server's certificate is not one to be trusted, or another host's. Nothing was sent."""

    retryable: ClassVar[bool] = False


class HandshakeRefused(ConnectFailed):
    """The server answered the WebSocket handshake with an HTTP status.

    `status` is that status, `body` the first bytes of what it said. 4xx are the
    caller's to mend and never worth a second try, save 408, 425 and 429. `retry_after` is how
    many seconds it wants to be left alone, None where it does not say; a second try by itself
    waits for so long.
    """

    def __init__(
        self, status: int, body: str, advice: str = "", *, retry_after: float | None = None
    ) -> None:
        self.status = status
        self.body = body
        self.retry_after = retry_after
        words = f": {body}" if body else ""
        super().__init__(f"the server refused the connection with HTTP {status}{words}{advice}")

    @property
    def retryable(self) -> bool:  # type: ignore[override]  # an instance knows better here
        """Whether trying again can help."""
        return self.status >= 500 or self.status in (408, 425, 429)


class SessionSilent(ConnectFailed, AcknowledgementTimeout):
    """The handshake succeeded, and then the server did not say in time what it had to.

    `what` is what is missing: `session.created`, or the answer to the configuration.
    """


class SessionRefused(ConnectFailed):
    """The handshake succeeded, but the server refused the session in its first event.

    A bad key, an unknown model or a stale header still upgrades with HTTP 101; then one
    `error` and a close follow at once (close codes 3000 and 4000 on OpenAI).
    `code` is the error's code, or its type where it has none; `close_code` the WebSocket's.
    """

    def __init__(
        self, message: str, *, code: str | None = None, close_code: int | None = None
    ) -> None:
        self.code = code
        self.close_code = close_code
        named = f"{code}: " if code else ""
        tail = f" (close code {close_code})" if close_code is not None else ""
        super().__init__(f"the server refused the session: {named}{message}{tail}")

    @property
    def retryable(self) -> bool:  # type: ignore[override]  # an instance knows better here
        """Whether trying again can help."""
        return not is_fatal(self.close_code, self.code)


class KeyRefused(SessionRefused):
    """The key is bad or missing: close code 3000, or `invalid_api_key`."""

    retryable: ClassVar[bool] = False


class ModelRefused(SessionRefused):
    """The model is bad or missing, or the request is of an older protocol: close code 4000."""

    retryable: ClassVar[bool] = False


class PolicyRefused(SessionRefused):
    """Close code 1008: a policy of the server, or a pool that is full."""


class ConnectionLost(ConnectionFailed):
    """An open connection broke or was closed by the server.

    `close_code` is None where it dropped without a close frame. `uncertain` is True
    for a call whose request was written but never answered: the server may have acted. It is
    `retryable` unless the close code is one that every other connection would get, too.
    """

    def __init__(
        self, message: str, *, close_code: int | None = None, uncertain: bool = False
    ) -> None:
        self.close_code = close_code
        self.uncertain = uncertain
        super().__init__(message)

    @property
    def retryable(self) -> bool:  # type: ignore[override]  # an instance knows better here
        """Whether trying again can help."""
        return not is_fatal(self.close_code)


class ReconnectFailed(ConnectionLost):
    """A connection was lost and no other could be had in its place: the client is at its end.

    `cause` is what ended the last try, or what said that trying is of no use; `tries` is how
    many there were since the budget was whole.
    """

    retryable: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        close_code: int | None = None,
        uncertain: bool = False,
        cause: RealtimeError | None = None,
        tries: int = 0,
    ) -> None:
        self.cause = cause
        self.tries = tries
        super().__init__(message, close_code=close_code, uncertain=uncertain)


class ClientClosed(ConnectionFailed):
    """The client was closed by its owner: `aclose()` or the end of its block."""

    retryable: ClassVar[bool] = False
