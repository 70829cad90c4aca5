"""Keys that live for minutes: what a server gives to the browsers of its users.

Whoever has one can open sessions until it expires, at the owner's expense; a session that runs
then goes on. So its value is in no repr, and a request for one whose answer was lost is not
sent again: the first key would be valid, and nobody's.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import msgspec

from realtime_client.codec import decode, encode
from realtime_client.errors import UnreadableAnswer
from realtime_client.events import (
    SessionConfig,
    SessionUpdated,
    TranscriptionSessionConfig,
    TranslationSessionConfig,
    TranslationSessionUpdated,
)
from realtime_client.events.surfaces import REALTIME, TRANSLATION
from realtime_client.given import check_whole
from realtime_client.rest.failures import Answer, request_id
from realtime_client.rest.line import Line, Request
from realtime_client.rest.sessions import GivenSession, is_translation, of_any_kind

__all__ = ["AskedSession", "ClientSecret", "ClientSecrets"]

AskedSession: TypeAlias = SessionConfig | TranscriptionSessionConfig | TranslationSessionConfig

_CREATE: Final = "client_secrets.create"


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """A key that expires: `value` opens sessions like an API key, and is never shown.

    `expires_at` is when it stops to do so, in seconds since 1970 on the server's clock.
    `session` is what a session opened with it begins with, as the server sees it; None where
    the server did not say, or in no shape that is known here.
    """

    value: str = field(repr=False)
    expires_at: int
    session: AskedSession | None


class ClientSecrets:
    """`client_secrets.*`: for sessions that converse, transcribe or translate."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def create(
        self, session: GivenSession | None = None, *, expires_after: int | None = None
    ) -> ClientSecret:
        """A new key, for sessions that begin with `session`.

        `session` is a `SessionConfig`, `TranscriptionSessionConfig` or
        `TranslationSessionConfig`, or a dict whose `type` says which (`realtime` where it does
        not); whoever has the key can change what it holds. `expires_after` is in seconds, 10
        to 7,200; without it the server takes 600.

        Raises:
            InvalidConfig: The session cannot be. Nothing was sent.
            UsageError: `expires_after` cannot be. Nothing was sent.
            RequestRefused: The server said no.
            ConnectFailed: The server cannot be reached. Nothing was sent.
            ConnectionLost, AcknowledgementTimeout: No answer came; `uncertain`, because there
                may be a key now that nobody has.
            UnreadableAnswer: There is a key, and the answer does not show it.
        """
        body: dict[str, Any] = {}
        if expires_after is not None:
            check_whole("expires_after", expires_after, 10, 7_200)
            body["expires_after"] = {"anchor": "created_at", "seconds": expires_after}
        if session is not None:
            body["session"] = of_any_kind(session)
        translates = session is not None and is_translation(session)
        path = "/translations/client_secrets" if translates else "/client_secrets"
        request = Request(_CREATE, path, encode(body), "application/json")
        return _read(await self._line.post(request))


class _Created(msgspec.Struct, frozen=True):
    value: str
    expires_at: int
    session: msgspec.Raw = msgspec.Raw(b"null")


def _read(answer: Answer) -> ClientSecret:
    created = None
    with suppress(ValueError, RecursionError):  # not a context of what is raised: it may quote
        created = msgspec.json.decode(answer.body, type=_Created)
    if created is None or not created.value:
        raise UnreadableAnswer(
            _CREATE,
            "it has no `value` with an `expires_at`",
            status=answer.status,
            request_id=request_id(answer.headers),
        )
    return ClientSecret(created.value, created.expires_at, _session(bytes(created.session)))


def _session(raw: bytes) -> AskedSession | None:
    """The session as the codec reads it, which takes a server at its best."""
    frame = b'{"type":"session.updated","session":%b}' % raw
    for surface in (REALTIME, TRANSLATION):
        match decode(frame, surface):
            case SessionUpdated(session=SessionConfig() | TranscriptionSessionConfig() as session):
                return session
            case TranslationSessionUpdated(session=session) if session.type == "translation":
                return session
    return None
