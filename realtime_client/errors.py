"""Everything this package raises on purpose, as one small tree.

::

    RealtimeError
    ├── UsageError                    the call was wrong; nothing was sent
    │   ├── MissingCredentials        no key for this endpoint
    │   ├── InvalidConfig             a session field that cannot be
    │   ├── InvalidAudio              samples, rate or shape that cannot be
    │   ├── InvalidClientEvent        an event that does not fit the protocol
    │   ├── InvalidTool               a function that cannot be offered as a tool
    │   ├── InvalidImage              bytes that are no picture
    │   ├── NotSupported              this endpoint cannot do that
    │   └── WouldDeadlock             a tool waits for what waits for the tool
    ├── ServerError                   the server answered with an `error` event
    │   ├── SessionUpdateRejected     ... to a `session.update`
    │   ├── ResponseRejected          ... to a `response.create`
    │   └── RequestRefused            ... to a REST request, by its HTTP status
    ├── ResponseFailed                `response.done` with status `failed`
    ├── ResponseAbandoned             the server went silent about a response
    ├── ResponseWithdrawn             cancelled before it was asked for
    ├── ConversationBusy              a response of the conversation is active
    ├── ConfigDrift                   an update was acknowledged with other values
    ├── SyncIncomplete                a part of `conversation.sync` was refused
    ├── ToolError                     a tool tells the model why it came to nothing
    ├── DeviceError                   no sound on this machine, or not that device
    ├── UnreadableAnswer              a REST request succeeded, and nobody knows at what
    ├── WebhookRefused                nothing shows that it is the server's, or it is not new
    ├── InvalidServerEvent            the server sent what cannot be read
    ├── TraceFailed                   the callback given as `trace=` raised
    ├── SlowConsumer                  a stream nobody read grew past its bound
    ├── AcknowledgementTimeout        the server did not answer in time
    └── ConnectionFailed              the connection, not the call
        ├── ConnectFailed             it could not be opened
        │   ├── CredentialFailed      the function that gives the credential gave none
        │   ├── CertificateRefused    the server could not show who it is
        │   ├── HandshakeRefused      HTTP said no
        │   ├── SessionSilent         HTTP said yes, and then nobody said anything
        │   └── SessionRefused        HTTP said yes, the first event said no
        │       ├── KeyRefused        ... to the key
        │       ├── ModelRefused      ... to the model, or to an older protocol
        │       └── PolicyRefused     ... by a policy, or because it is full
        ├── ConnectionLost            it was open and broke
        │   └── ReconnectFailed       ... and no other could be had in its place
        └── ClientClosed              it is closed because you closed it

Whether a second try can help is a property of the error (`retryable`), so that
nobody has to match message texts. Every error carries its facts as attributes;
none of them ever carries a credential.
"""

from __future__ import annotations

from typing import Any, ClassVar

from realtime_client.fatal import is_fatal
from realtime_client.redaction import redacted

__all__ = [
    "AcknowledgementTimeout",
    "CertificateRefused",
    "ClientClosed",
    "ConfigDrift",
    "ConnectFailed",
    "ConnectionFailed",
    "ConnectionLost",
    "ConversationBusy",
    "CredentialFailed",
    "DeviceError",
    "HandshakeRefused",
    "InvalidAudio",
    "InvalidClientEvent",
    "InvalidConfig",
    "InvalidImage",
    "InvalidServerEvent",
    "InvalidTool",
    "KeyRefused",
    "MissingCredentials",
    "ModelRefused",
    "NotSupported",
    "PolicyRefused",
    "RealtimeError",
    "ReconnectFailed",
    "RequestRefused",
    "ResponseAbandoned",
    "ResponseFailed",
    "ResponseRejected",
    "ResponseWithdrawn",
    "ServerError",
    "SessionRefused",
    "SessionSilent",
    "SessionUpdateRejected",
    "SlowConsumer",
    "SyncIncomplete",
    "ToolError",
    "TraceFailed",
    "UnreadableAnswer",
    "UsageError",
    "WebhookRefused",
    "WouldDeadlock",
]


class RealtimeError(Exception):
    """The root: catch this to catch everything that this package raises on purpose."""

    retryable: ClassVar[bool] = False


class UsageError(RealtimeError, ValueError):
    """The call itself was wrong. Nothing was sent and no state changed."""


class MissingCredentials(UsageError):
    """There is no key for the endpoint, neither as an argument nor in its variable."""


class InvalidConfig(UsageError):
    """A session field has a name, a type or a value that the server cannot accept."""


class InvalidAudio(UsageError):
    """Samples, a sample rate, a dtype or an array shape that cannot be audio."""


class InvalidClientEvent(UsageError):
    """An event given to `send` does not fit the protocol."""


class InvalidTool(UsageError):
    """A function whose signature does not say what the model may pass to it."""


class InvalidImage(UsageError):
    """Bytes that are not a picture of a kind that a server takes."""


class NotSupported(UsageError):
    """The endpoint cannot do that; its dialect says so."""


class WouldDeadlock(UsageError):
    """A tool asked the conversation for a response that its own missing output holds back."""


class ServerError(RealtimeError):
    """The server answered with an `error` event.

    `code` and `type` are the server's words; some servers put the error's name in
    `type` and leave `code` null, so `name` is whichever of the two is there.
    `event_id` names the client event that it answers, where the server said so.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        type: str | None = None,  # noqa: A002 - the wire's own name
        param: str | None = None,
        event_id: str | None = None,
    ) -> None:
        self.message = message
        self.code = code
        self.type = type
        self.param = param
        self.event_id = event_id
        super().__init__(message)

    @property
    def name(self) -> str | None:
        """`code`, or `type` where the server gave no code."""
        return self.code or self.type

    def __str__(self) -> str:
        where = f" (param {self.param})" if self.param else ""
        return f"{self.name or 'error'}: {self.message}{where}"


class SessionUpdateRejected(ServerError):
    """The server refused a `session.update`; the whole of it, as it always does.

    `update` is what was asked for, in the session's own shape, with `***` for credentials.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        type: str | None = None,  # noqa: A002 - the wire's own name
        param: str | None = None,
        event_id: str | None = None,
        update: dict[str, Any] | None = None,
    ) -> None:
        self.update: dict[str, Any] = redacted(update or {})
        super().__init__(message, code=code, type=type, param=param, event_id=event_id)


class ConfigDrift(RealtimeError):
    """The server acknowledged an update, but not with the values that were asked.

    `ignored` lists the fields: path, asked and effective value, with `***` for credentials.
    Raised in strict mode only.
    """

    def __init__(self, ignored: tuple[Any, ...]) -> None:
        self.ignored: tuple[Any, ...] = redacted(ignored)
        super().__init__(
            "the server did not take what was asked: " + ", ".join(path for path, _, _ in ignored)
        )


class ResponseRejected(ServerError):
    """The server refused a `response.create`."""


class RequestRefused(ServerError):
    """The server answered a REST request with an HTTP status that is not success.

    `what` is the request, `status` the HTTP status, and `request_id` what the server calls
    this request, for asking its owner. `retry_after` is how many seconds the server wants to
    be left alone, where it said so. `uncertain` is True where something failed on the way,
    so that the server may have done it all the same.
    """

    def __init__(
        self,
        message: str,
        *,
        what: str,
        status: int,
        code: str | None = None,
        type: str | None = None,  # noqa: A002 - the wire's own name
        param: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        retryable: bool = False,
        uncertain: bool = False,
    ) -> None:
        self.what = what
        self.status = status
        self.request_id = request_id
        self.retry_after = retry_after
        self.uncertain = uncertain
        self._retryable = retryable
        super().__init__(message, code=code, type=type, param=param)

    @property
    def retryable(self) -> bool:  # type: ignore[override]  # an instance knows better here
        """Whether trying again can help."""
        return self._retryable

    def __str__(self) -> str:
        asked = f"; request {self.request_id}" if self.request_id else ""
        words = super().__str__() if self.name else self.message
        return f"{self.what} was refused with HTTP {self.status}: {words}{asked}"


class ResponseFailed(ServerError):
    """`response.done` came with status `failed`: inference failed, not the request."""

    response_id: str | None = None


class ResponseAbandoned(RealtimeError):
    """The server said nothing more about a response for so long that it was given up.

    `response_id` is None where not even its `response.created` has come.
    """

    def __init__(self, message: str, *, response_id: str | None = None) -> None:
        self.response_id = response_id
        super().__init__(message)


class ResponseWithdrawn(RealtimeError):
    """A create was cancelled before the response began; nothing of it will come."""


class ConversationBusy(RealtimeError):
    """A response of the conversation is active, and the create was not to wait for its end.

    `active` has its id, where it is known.
    """

    retryable: ClassVar[bool] = True

    def __init__(self, message: str, *, active: tuple[str, ...] = ()) -> None:
        self.active = active
        super().__init__(message)


class ToolError(RealtimeError):
    """Raise it in a tool to tell the model, in these words, why the call came to nothing."""


class SyncIncomplete(RealtimeError):
    """The server refused a part of a sync; the rest of it is done, and a second sync goes on.

    `created` and `deleted` are the ids of what was done, `refused` the id and the error of
    what was not. Where a delete is refused, no create is sent.
    """

    def __init__(
        self,
        *,
        created: tuple[str, ...],
        deleted: tuple[str, ...],
        refused: tuple[tuple[str, RealtimeError], ...],
    ) -> None:
        self.created = created
        self.deleted = deleted
        self.refused = refused
        item_id, error = refused[0]
        more = f", and {len(refused) - 1} more" if len(refused) > 1 else ""
        super().__init__(f"the server refused a part of the sync: item {item_id}: {error}{more}")


class DeviceError(RealtimeError):
    """There is no sound on this machine, not that device, or not at that rate."""


class UnreadableAnswer(RealtimeError):
    """A REST request succeeded, and its answer does not hold what it should.

    What was asked for was done, so asking again does it twice. `status` is the HTTP status,
    `request_id` what the server calls this request. The answer is not shown: it may hold a
    credential.
    """

    def __init__(
        self, what: str, problem: str, *, status: int, request_id: str | None = None
    ) -> None:
        self.what = what
        self.status = status
        self.request_id = request_id
        super().__init__(f"{what} was answered with HTTP {status}, but {problem}")


class WebhookRefused(RealtimeError):
    """A webhook that is not to be acted upon.

    `reason` says why: `headers` (one is missing, twice there, or no header of this kind),
    `signature` (nobody who has the secret has signed it), `too_old` and `too_new` (its time
    is out of the window), `repeated` (it was here before) or `payload` (signed, and yet no
    event). Only `repeated` is to be answered with success, so that it does not come again.
    """

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        super().__init__(message)


class InvalidServerEvent(RealtimeError):
    """The server sent a frame that is no event, or does not fit its type. The session goes on.

    `problem` says what is wrong with it; the frame itself is in `events()`.
    """

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(f"the server sent a frame that cannot be read: {problem}")


class TraceFailed(RealtimeError):
    """The callback given as `Client(trace=...)` raised `error`. The session goes on."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        super().__init__(f"the trace raised {type(error).__name__}")


class SlowConsumer(RealtimeError):
    """One stream was not read while it grew past its `bound`, which counts `unit`s."""

    def __init__(self, what: str, bound: int, unit: str = "bytes") -> None:
        self.bound = bound
        self.unit = unit
        super().__init__(f"{what} was not read and grew past {bound:,} {unit}")


class AcknowledgementTimeout(RealtimeError):
    """The server did not answer `what` in time.

    `uncertain` is True where a request had been written, so that the server may still do
    what was asked, and False where it never went out.
    """

    retryable: ClassVar[bool] = True

    def __init__(self, what: str, *, uncertain: bool = False) -> None:
        self.what = what
        self.uncertain = uncertain
        super().__init__(f"no answer from the server in time: {what}")


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
    caller's to mend and never worth a second try, save 408, 425 and 429.
    """

    def __init__(self, status: int, body: str, advice: str = "") -> None:
        self.status = status
        self.body = body
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
    for a call whose request was written but never answered: the server may have acted.
    """

    def __init__(
        self, message: str, *, close_code: int | None = None, uncertain: bool = False
    ) -> None:
        self.close_code = close_code
        self.uncertain = uncertain
        super().__init__(message)


class ReconnectFailed(ConnectionLost):
    """A connection was lost and no other could be had in its place: the client is at its end.

    `cause` is what ended the last try, or what said that trying is of no use; `tries` is how
    many there were.
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
