"""Is this webhook the server's, is it of now, and was it here before?

Whoever knows the address of a webhook can send to it, so nothing in it is believed before its
signature is: HMAC-SHA256 over `id.timestamp.body` with a secret that the server and its
customer share ("Standard Webhooks"). A signature does not grow old, so a message that was
overheard is as good as new; hence the timestamp, which is signed too, must be near to now, and
an id is taken once while it is.

The signature is looked at first: of what nobody has signed, nothing else is worth telling.
"""

from __future__ import annotations

import hmac
import time
from base64 import b64decode, b64encode
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeAlias

import msgspec

from realtime_client.errors import UsageError, WebhookRefused
from realtime_client.given import check_seconds, check_whole

__all__ = ["IncomingCall", "Replays", "UnknownWebhook", "verify"]

_PREFIX: Final = "whsec_"
_SIGNATURE: Final = "v1,"
_SECONDS: Final = 12
"""How many digits a time in seconds may have; enough until the year 33658."""


class _Items(Protocol):
    """Headers of some library that are no `Mapping`, such as `http.server`'s."""

    def items(self) -> Iterable[tuple[str, str]]: ...


GivenHeaders: TypeAlias = (
    Mapping[str, str] | _Items | Iterable[tuple[str, str]] | Iterable[tuple[bytes, bytes]]
)


@dataclass(frozen=True, slots=True)
class IncomingCall:
    """Somebody calls by SIP, and waits: `realtime.call.incoming`.

    `call_id` is what `Rest.calls` wants. `sip_headers` are those of the INVITE, in their
    order, as the caller's side has written them: nobody has checked who he says he is. They
    are not in the repr, because who calls whom is not for a log. `id` is the event's,
    `webhook_id` the delivery's, `created_at` in seconds since 1970.
    """

    call_id: str
    sip_headers: tuple[tuple[str, str], ...] = field(repr=False)
    id: str
    created_at: int
    webhook_id: str

    def sip_header(self, name: str) -> str | None:
        """The first header of this name, in any case of letters: `From`, `To`, `Diversion`."""
        wanted = name.lower()
        return next((value for one, value in self.sip_headers if one.lower() == wanted), None)


@dataclass(frozen=True, slots=True)
class UnknownWebhook:
    """A genuine webhook of a type that this version does not know; `payload` is its JSON."""

    type: str
    payload: dict[str, Any] = field(repr=False)
    webhook_id: str


class Replays:
    """The ids of the webhooks that were taken, each for as long as its time is in the window.

    At most `most` of them; the oldest goes first. It would then be taken a second time,
    which is less bad than turning new calls away. One `Replays` for each process that is
    behind the address; several processes need a memory that they share.

    Raises:
        UsageError: `most` is no number.
    """

    __slots__ = ("_most", "_until")

    def __init__(self, most: int = 10_000) -> None:
        check_whole("most", most, 1)
        self._most = most
        self._until: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._until)

    def take(self, webhook_id: str, until: float, now: float) -> bool:
        """Whether this one is new; it is remembered until that time, in seconds since 1970."""
        self._forget_old(now)
        if webhook_id in self._until:
            return False
        self._until[webhook_id] = until
        if len(self._until) > self._most:
            self._until.popitem(last=False)
        return True

    def forget(self, webhook_id: str) -> None:
        """It came to nothing: the server may send it again, and it will be taken."""
        self._until.pop(webhook_id, None)

    def _forget_old(self, now: float) -> None:
        # Times come nearly in order, so the first that is not over ends the search. One behind
        # it that is over stays a little longer than it must.
        while self._until:
            oldest = next(iter(self._until))
            if self._until[oldest] >= now:
                return
            del self._until[oldest]


def verify(
    payload: bytes,
    headers: GivenHeaders,
    secret: str,
    *,
    now: float | None = None,
    tolerance: float = 300.0,
    replays: Replays | None = None,
) -> IncomingCall | UnknownWebhook:
    """What a webhook says, if it is the server's.

    `payload` is the body of the request, untouched: parsing and writing it again would change
    it. `headers` are a mapping or pairs, with names in any case of letters. `secret` is the
    endpoint's, `whsec_...`. The time in it may be `tolerance` seconds from `now` (seconds
    since 1970; the clock's, if not given), in either direction. With `replays` every id is
    taken once; `replays.forget(webhook_id)` where it came to nothing.

    Raises:
        WebhookRefused: It is not to be acted upon; `reason` says why.
        UsageError: The secret is none, or `payload` is not bytes.
    """
    check_seconds("tolerance", tolerance, zero=True)
    body, key = _bytes(payload), _key(secret)
    webhook_id, timestamp, signatures = _three(headers)
    if not _is_signed(key, f"{webhook_id}.{timestamp}.", body, signatures):
        raise WebhookRefused("signature", "the webhook is signed by nobody who has this secret")
    moment = time.time() if now is None else now
    _check_time(timestamp, moment, tolerance)
    event = _event(body, webhook_id)
    if replays is not None and not replays.take(webhook_id, int(timestamp) + tolerance, moment):
        raise WebhookRefused("repeated", "this webhook was here before")
    return event


def _bytes(payload: object) -> bytes:
    if not isinstance(payload, bytes):
        raise UsageError("payload is the body of the request as bytes, before anything reads it")
    return payload


def _key(secret: object) -> bytes:
    """The bytes of a secret. Without any, everybody could sign."""
    encoded = secret.removeprefix(_PREFIX) if isinstance(secret, str) else ""
    try:
        key = b64decode(encoded, validate=True)
    except ValueError:
        key = b""
    if not key or encoded == secret:
        raise UsageError(
            "the secret of a webhook is `whsec_` and base64, as the dashboard shows it"
        )
    return key


def _three(headers: GivenHeaders) -> tuple[str, str, list[str]]:
    """Id, timestamp and signatures. A header that is there twice could be meant either way."""
    pairs: Any = headers.items() if hasattr(headers, "items") else headers
    found: dict[str, list[str]] = {"id": [], "timestamp": [], "signature": []}
    for name, value in pairs:
        prefix, _, last = _text(name).lower().rpartition("-")
        if prefix == "webhook" and last in found:
            found[last].append(_text(value))
    for name, values in found.items():
        if len(values) != 1 or not values[0]:
            raise WebhookRefused("headers", f"it needs exactly one header webhook-{name}")
    timestamp = found["timestamp"][0]
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= _SECONDS):
        raise WebhookRefused("headers", "its webhook-timestamp is no time in seconds")
    return found["id"][0], timestamp, found["signature"][0].split()


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _is_signed(key: bytes, before: str, payload: bytes, signatures: Iterable[str]) -> bool:
    """Whether one of the signatures is right, in a time that does not say how nearly.

    There are several while the secret is being changed. Other versions than `v1` are another
    kind of signature.
    """
    digest = hmac.digest(key, before.encode("utf-8", "replace") + payload, "sha256")
    expected = _SIGNATURE.encode() + b64encode(digest)
    return any(hmac.compare_digest(expected, one.encode("utf-8", "replace")) for one in signatures)


def _check_time(timestamp: str, now: float, tolerance: float) -> None:
    age = now - int(timestamp)
    if not -tolerance <= age <= tolerance:  # a `now` that is no number is outside as well
        reason, which = ("too_new", "ahead of") if age < 0 else ("too_old", "behind")
        raise WebhookRefused(
            reason, f"its time is {abs(age):.0f} s {which} this clock; {tolerance:g} s are allowed"
        )


class _SipHeader(msgspec.Struct, frozen=True):
    name: str
    value: str


class _Data(msgspec.Struct, frozen=True):
    call_id: str
    sip_headers: tuple[_SipHeader, ...]


class _Incoming(msgspec.Struct, frozen=True):
    id: str
    created_at: int
    data: _Data


def _event(payload: bytes, webhook_id: str) -> IncomingCall | UnknownWebhook:
    try:
        tree = msgspec.json.decode(payload)
        match tree:
            case {"type": "realtime.call.incoming"}:
                event = msgspec.convert(tree, _Incoming)
                headers = tuple((one.name, one.value) for one in event.data.sip_headers)
                call_id = event.data.call_id
                return IncomingCall(call_id, headers, event.id, event.created_at, webhook_id)
            case {"type": str(kind)}:
                return UnknownWebhook(kind, tree, webhook_id)
        problem = "it is no object with a `type`"
    except (ValueError, RecursionError) as error:
        problem = str(error)
    raise WebhookRefused("payload", f"it is signed, and cannot be understood: {problem}")
