"""Calls: by telephone (SIP), which come by webhook, and by WebRTC, which are created.

A call is not a socket. It goes on whatever becomes of this client, and is heard and steered
beside its own media by a `Client` that is connected by `call_id`. These requests are what
happens to it as a whole.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Unpack

from realtime_client.codec import encode
from realtime_client.errors import UnreadableAnswer, UsageError
from realtime_client.given import check_whole
from realtime_client.options import SessionShortcuts
from realtime_client.rest.failures import Answer, request_id
from realtime_client.rest.line import Line, Request
from realtime_client.rest.sessions import conversation, refuse_tuning

if TYPE_CHECKING:
    from collections.abc import Mapping

    from realtime_client.events import SessionConfig

__all__ = ["CallAnswer", "Calls"]

_JSON: Final = "application/json"
_SDP: Final = "application/sdp"
_CREATE: Final = "calls.create"

_CALL_ID: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.~:-]*")
"""What can stand in a path and stay one step of it; never `..`."""

_URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]+")


@dataclass(frozen=True, slots=True)
class CallAnswer:
    """A call that was created: its `call_id`, and the `sdp` that answers the offer."""

    call_id: str
    sdp: str


class Calls:
    """`calls.*`: the calls of this endpoint.

    Each of them raises `RequestRefused` where the server says no (404 where there is no such
    call any more), `ConnectFailed` where it cannot be reached and nothing was sent, and
    `ConnectionLost` or `AcknowledgementTimeout` where no answer came and nobody knows
    whether it was done (`uncertain`).
    """

    def __init__(self, line: Line) -> None:
        self._line = line

    async def create(
        self,
        sdp: str,
        session: SessionConfig | Mapping[str, Any] | None = None,
        *,
        model: str | None = None,
        **shortcuts: Unpack[SessionShortcuts],
    ) -> CallAnswer:
        """Open a call by WebRTC: `sdp` is the caller's offer.

        `session`, `model` and the shortcuts are those of `Client`. With none of them the
        session is the one that the credential brings along, which has to be a client secret.

        Raises:
            InvalidConfig: The session cannot be. Nothing was sent.
            UnreadableAnswer: There is a call, and the answer does not say which.
        """
        offer = _offer(sdp)
        given = conversation(session, model, shortcuts)
        request = Request(_CREATE, "/calls", offer, _SDP, accept=_SDP)
        if given is not None:
            parts = {"sdp": (None, offer, _SDP), "session": (None, encode(given), _JSON)}
            request = request._replace(content=b"", content_type="", files=parts)
        return _created(await self._line.post(request))

    async def accept(
        self,
        call_id: str,
        session: SessionConfig | Mapping[str, Any] | None = None,
        *,
        model: str | None = None,
        **shortcuts: Unpack[SessionShortcuts],
    ) -> None:
        """Answer a call by SIP with a model; returns when it begins to ring.

        `session`, `model` and the shortcuts are those of `Client`. This is where a call is
        configured: who connects to it by `call_id` sends no configuration of his own.

        Raises:
            InvalidConfig: The session cannot be, or tunes `server_vad`, which a call by SIP
                refuses (`threshold`, `prefix_padding_ms`, `silence_duration_ms`). Nothing
                was sent.
        """
        given = conversation(session, model, shortcuts) or {"type": "realtime"}
        refuse_tuning(given)
        await self._do("accept", call_id, given)

    async def reject(self, call_id: str, *, status_code: int | None = None) -> None:
        """Turn a call by SIP away; `status_code` is SIP's, 400 to 699.

        Without it the caller gets 603, "Decline"; 486 is "Busy Here".
        """
        body = None
        if status_code is not None:
            check_whole("status_code", status_code, 400, 699)
            body = {"status_code": status_code}
        await self._do("reject", call_id, body)

    async def refer(self, call_id: str, *, target_uri: str) -> None:
        """Hand a call by SIP over to `target_uri`: `tel:+14155550123`, `sip:agent@example.com`.

        Returns when the SIP provider has been asked to, not when the other end has answered.
        """
        await self._do("refer", call_id, {"target_uri": _uri(target_uri)})

    async def hangup(self, call_id: str) -> None:
        """End a call, by SIP or by WebRTC."""
        await self._do("hangup", call_id, None)

    async def _do(self, verb: str, call_id: str, body: dict[str, Any] | None) -> None:
        content, kind = (b"", "") if body is None else (encode(body), _JSON)
        path = f"/calls/{_step(call_id)}/{verb}"
        await self._line.post(Request(f"calls.{verb}", path, content, kind, accept="*/*"))


def _offer(sdp: object) -> bytes:
    if not isinstance(sdp, str) or not sdp.strip():
        raise UsageError("sdp is the text of an offer; nothing was sent")
    return sdp.encode()


def _uri(target: object) -> str:
    if not isinstance(target, str) or not _URI.fullmatch(target):
        raise UsageError(
            "target_uri is a URI such as tel:+14155550123 or sip:agent@example.com, "
            "without spaces; nothing was sent"
        )
    return target


def _step(call_id: object) -> str:
    if not isinstance(call_id, str) or not _CALL_ID.fullmatch(call_id):
        raise UsageError(f"{call_id!r} is no call_id, such as rtc_...; nothing was sent")
    return call_id


def _created(answer: Answer) -> CallAnswer:
    """The id is the last step of the `Location`, which is relative; the body is the SDP."""
    call_id = answer.headers.get("location", "").partition("?")[0].rstrip("/").rpartition("/")[2]
    sdp = answer.body.decode("utf-8", "replace")
    if not _CALL_ID.fullmatch(call_id) or not sdp.startswith("v="):
        problem = "its `Location` names no call" if sdp.startswith("v=") else "it holds no SDP"
        raise UnreadableAnswer(
            _CREATE, problem, status=answer.status, request_id=request_id(answer.headers)
        )
    return CallAnswer(call_id, sdp)
