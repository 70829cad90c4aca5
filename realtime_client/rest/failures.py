"""What becomes of an HTTP exchange that failed: an error of this package.

Nothing of the HTTP library gets out. Its exceptions hold the request, and with it the
credential, and they would hang on to ours as cause or context; so a failure is a value here,
and it is raised when no exception is being handled any more. The server's own words are shown,
without the credentials that we sent, should it repeat them.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import httpx
import msgspec

from realtime_client.errors import (
    AcknowledgementTimeout,
    CertificateRefused,
    ConnectFailed,
    ConnectionLost,
    RealtimeError,
    RequestRefused,
)
from realtime_client.patience import retry_after
from realtime_client.redaction import without
from realtime_client.rest.retry import Fate, fate_of

__all__ = ["Answer", "Failure", "broken", "out_of_time", "refused", "request_id"]

_SHOWN: Final = 500
"""How many characters of an answer that is no error object are quoted."""


class Answer(NamedTuple):
    """What a server answered. `headers` by lower-case names; not to be shown."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def __repr__(self) -> str:
        return f"<HTTP {self.status}>"


class Failure(NamedTuple):
    """Why there is no answer, what is known of the request, and how long to wait."""

    error: RealtimeError
    fate: Fate
    wait: float | None = None


class _Words(NamedTuple):
    """What a server says of its refusal."""

    message: str
    code: str | None = None
    type: str | None = None
    param: str | None = None


def request_id(headers: Mapping[str, str]) -> str | None:
    """What the server calls a request; the second name is Azure's."""
    return headers.get("x-request-id") or headers.get("apim-request-id")


def refused(what: str, answer: Answer, sent: Mapping[str, str], wall: float) -> Failure:
    """An answer that is not success. `sent` are the headers that must not be shown."""
    words = _words(answer, sent)
    wait = retry_after(answer.headers, wall)
    fate = fate_of(answer.status, named=(words.code, words.type), wait=wait)
    error = RequestRefused(
        words.message,
        what=what,
        status=answer.status,
        code=words.code,
        type=words.type,
        param=words.param,
        request_id=request_id(answer.headers),
        retry_after=wait,
        retryable=fate is not Fate.FINAL,
        uncertain=fate is Fate.UNKNOWN,
    )
    return Failure(error, fate, wait)


def broken(what: str, address: str, error: Exception) -> Failure:
    """No answer, for a reason that the library has.

    Its words are quoted for a connection that could not be made, and for nothing else: of a
    header that it cannot send it shows the value.
    """
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            words = f"the certificate of {address} is not to be trusted: {cause.verify_message}"
            return Failure(CertificateRefused(words), Fate.FINAL)
    match error:
        case httpx.ConnectTimeout() | httpx.PoolTimeout():
            unsent = ConnectFailed(f"no answer from {address} in time")
        case httpx.ConnectError() | UnicodeError():
            unsent = ConnectFailed(f"cannot reach {address}: {error}")
        case httpx.ProxyError():
            unsent = ConnectFailed(f"the proxy does not let us to {address}")
        case httpx.TimeoutException():
            return out_of_time(what)
        case _:
            lost = ConnectionLost(f"{what}: no answer came, or not all of it", uncertain=True)
            return Failure(lost, Fate.UNKNOWN)
    return Failure(unsent, Fate.UNDONE)


def out_of_time(what: str) -> Failure:
    """It went out, and no answer came in time."""
    return Failure(AcknowledgementTimeout(what, uncertain=True), Fate.UNKNOWN)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _words(answer: Answer, sent: Mapping[str, str]) -> _Words:
    """The server's words, in whichever of the known shapes it says them.

    OpenAI and Azure send `{"error": {"message": ..., "code": ...}}`, xAI
    `{"error": "...", "code": "..."}`, a gateway a page of HTML.
    """
    if 300 <= answer.status < 400:
        return _Words("redirects are not followed, so that a key never reaches another host")
    match _object(answer.body):
        case {"error": {"message": str(message), **error}} | {"message": str(message), **error}:
            pass
        case {"error": str(message), **error} if message:
            pass
        case _:
            # What is cut off must not be cut in the middle of a credential.
            text = _without(answer.body.decode("utf-8", "replace"), sent).strip()
            return _Words(text[:_SHOWN] or "it gave no reason")
    facts = (error.get(name) for name in ("code", "type", "param"))
    texts = (_without(fact, sent) if isinstance(fact, str) else None for fact in facts)
    return _Words(_without(message, sent), *texts)


def _object(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (ValueError, RecursionError):
        return None


def _without(words: str, sent: Mapping[str, str]) -> str:
    """The words without what we sent in headers: whole, and after `Bearer`."""
    secrets = ((value, value.partition(" ")[2]) for value in sent.values())
    return without(words, (secret for pair in secrets for secret in pair))
