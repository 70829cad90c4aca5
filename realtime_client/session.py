"""`client.session`: the configuration as the server acknowledged it, and changing it.

Three things that other clients mix are three properties here: `acknowledged` is what the
server said, `in_flight` what has been asked and is not answered, `desired` what there will be
if every answer is yes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Unpack

from realtime_client import events
from realtime_client.acknowledgement import Acknowledgement, Effective, Notice
from realtime_client.config import Configuration, asked_by
from realtime_client.connection import Connection
from realtime_client.errors import ConfigDrift
from realtime_client.leaves import Leaves, tree
from realtime_client.options import AnySession, SessionShortcuts, session_from, tool_functions
from realtime_client.redaction import redacted
from realtime_client.streams import Once
from realtime_client.toolbox import Toolbox
from realtime_client.translation import AnyTranslation, TranslationShortcuts, translation_from

__all__ = ["SessionChanges", "SessionVerbs", "TranslationVerbs"]


class Configured:
    """What is known of the configuration of a session of any kind, and how it is changed."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def _config(self) -> Configuration:
        return self._connection.protocol.config

    @property
    def in_flight(self) -> tuple[dict[str, Any], ...]:
        """The updates that were asked for and are not answered, oldest first, as trees.

        Credentials of tools are hidden, here and in `desired`.
        """
        return tuple(redacted(tree(intent.asked)) for intent in self._config.in_flight)

    @property
    def desired(self) -> dict[str, Any]:
        """Acknowledged, and what is in flight on top of it, as a tree. For display."""
        wanted: dict[str, Any] = redacted(self._config.desired)
        return wanted

    @property
    def id(self) -> str | None:
        """The server's id of this session."""
        session_id = getattr(self._config.acknowledged, "id", None)
        return session_id if isinstance(session_id, str) else None

    @property
    def expires_at(self) -> int | None:
        """When the server ends it, in its own seconds since 1970. To be shown, not compared."""
        when = getattr(self._config.acknowledged, "expires_at", None)
        return when if isinstance(when, int) else None

    def notices(self) -> Once[Notice]:
        """What happens to the configuration from now on, with its cause.

        `foreign` where nobody here asked, `late` and `late_rejection` where the answer to an
        uncertain update came after all.
        """
        self._connection.check_alive()
        return self._connection.watches.new_notices()

    async def _ask(
        self, asked: Leaves, *, seconds: float, between_turns: bool = False
    ) -> Acknowledgement:
        """Ask for a change, and wait for the server's answer to it."""
        answer = await self._connection.update(asked, seconds=seconds, between_turns=between_turns)
        assert isinstance(answer, Acknowledgement)
        return answer


class SessionVerbs(Configured):
    """`session.*`."""

    def __init__(self, connection: Connection, tools: Toolbox) -> None:
        super().__init__(connection)
        self._tools = tools

    @property
    def acknowledged(self) -> events.Session | None:
        """The newest `session` object that the server sent, whole. Never a local guess."""
        session = self._config.acknowledged
        assert not isinstance(session, events.TranslationSessionConfig), "it is a conversation"
        return session

    async def update(
        self,
        session: AnySession | Mapping[str, Any] | None = None,
        *,
        strict: bool = False,
        timeout: float = 10.0,  # noqa: ASYNC109 - it bounds the answer, and says what became of it
        when: Literal["now", "between_turns"] = "now",
        **shortcuts: Unpack[SessionShortcuts],
    ) -> Acknowledgement:
        """Change the session; returns when the server has acknowledged it.

        What to change is given as to `Client`: a `SessionConfig` or a dict in the wire's
        shape, keyword shortcuts, or both. Only what differs from the acknowledged state goes
        out, and where nothing does, nothing is sent. Several updates keep their order.

        The answer has `effective`, the server's session; `changed`, the paths that changed;
        and `ignored`, the fields where the server's value is not what was asked.
        `when="between_turns"` waits for `response.done`, never for playback. `timeout` is in
        seconds, from this call. Cancelling withdraws what has not gone out; what has is
        tracked to its end.

        A function with `@tool` among the `tools` is run here from the acknowledgement on.

        Raises:
            InvalidConfig: It cannot be; nothing was sent.
            InvalidTool: A function among the `tools` has no `@tool`; nothing was sent.
            SessionUpdateRejected: The server refused it, and nothing of it is in force.
            AcknowledgementTimeout: No answer in time; `uncertain` where it had been sent.
            ConfigDrift: In `strict` mode, `ignored` is not empty.
            ConnectionLost: The connection broke.
        """
        kind = getattr(self._config.acknowledged, "type", "realtime")
        asked = session_from(session, shortcuts, kind=kind)
        wanted = asked_by(asked) if asked is not None else {}
        with self._tools.adopting(wanted, tool_functions(session, shortcuts)):
            answer = await self._ask(wanted, seconds=timeout, between_turns=when == "between_turns")
        if strict and answer.ignored:
            raise ConfigDrift(answer.ignored)
        return answer

    def changes(self) -> SessionChanges:
        """Every session object that the server sends from now on, whoever asked for it."""
        return SessionChanges(self.notices())


class TranslationVerbs(Configured):
    """`session.*` of a translation."""

    @property
    def acknowledged(self) -> events.TranslationSessionConfig | None:
        """The newest `session` object that the server sent, whole. Never a local guess."""
        session = self._config.acknowledged
        return session if isinstance(session, events.TranslationSessionConfig) else None

    async def update(
        self,
        session: AnyTranslation | None = None,
        *,
        strict: bool = False,
        timeout: float = 10.0,  # noqa: ASYNC109 - it bounds the answer, and says what became of it
        **shortcuts: Unpack[TranslationShortcuts],
    ) -> Acknowledgement:
        """Change the session; returns when the server has acknowledged it.

        What can change is the `language`, the `transcription` and the `noise_reduction`, given
        as to `Translator`. Everything else is as `client.session.update` has it.

        Raises:
            InvalidConfig: It cannot be; nothing was sent.
            SessionUpdateRejected: The server refused it, and nothing of it is in force.
            AcknowledgementTimeout: No answer in time; `uncertain` where it had been sent.
            ConfigDrift: In `strict` mode, `ignored` is not empty.
            ConnectionLost: The connection broke.
        """
        asked = translation_from(session, shortcuts)
        answer = await self._ask(asked_by(asked) if asked is not None else {}, seconds=timeout)
        if strict and answer.ignored:
            raise ConfigDrift(answer.ignored)
        return answer


class SessionChanges:
    """The session objects among the notices."""

    def __init__(self, notices: Once[Notice]) -> None:
        self._notices = notices

    def __aiter__(self) -> SessionChanges:
        return self

    async def __anext__(self) -> Effective:
        while True:
            notice = await anext(self._notices)
            if notice.session is not None:
                return notice.session
