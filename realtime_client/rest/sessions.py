"""The session object of a request: what `Client` takes, checked as there, in the wire's shape.

Only the fields that were named are sent. A translation session has no turns and no responses,
so it is another object; which of the three kinds is meant is the object's own `type`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from realtime_client.config import asked_by
from realtime_client.errors import InvalidConfig
from realtime_client.events import (
    SessionConfig,
    TranslationSessionConfig,
)
from realtime_client.leaves import Leaves, leaves, tree
from realtime_client.options import AnySession, SessionShortcuts, plain, session_from
from realtime_client.translation import translation_from

__all__ = ["GivenSession", "conversation", "is_translation", "of_any_kind", "refuse_tuning"]

GivenSession: TypeAlias = AnySession | TranslationSessionConfig | Mapping[str, Any]
Tree: TypeAlias = dict[str, Any]

_TURN_DETECTION: Final = ("audio", "input", "turn_detection")
_TUNING: Final = frozenset({"threshold", "prefix_padding_ms", "silence_duration_ms"})


def of_any_kind(session: GivenSession) -> Tree:
    """What to send for a session of any kind.

    Raises:
        InvalidConfig: An unknown name, one of an older client, or a value that does not fit.
    """
    if is_translation(session):
        return _translation(session)
    config = session_from(session, {})  # type: ignore[arg-type]  # it is one of the other two
    return tree(asked_by(config)) if config is not None else {"type": "realtime"}


def conversation(
    session: SessionConfig | Mapping[str, Any] | None,
    model: str | None,
    shortcuts: SessionShortcuts,
) -> Tree | None:
    """What to send for a conversation, None where nothing at all was given.

    Raises:
        InvalidConfig: As `of_any_kind`, or the model is given twice, or it is another kind.
    """
    config = session_from(session, shortcuts)
    asked: Leaves = asked_by(config) if config is not None else {}
    if asked.get(("type",), "realtime") != "realtime":
        raise InvalidConfig(f"a call is a conversation, not a session of type {asked['type',]!r}")
    if model is not None:
        if asked.get(("model",)) not in (None, model):
            raise InvalidConfig("the model is given twice: by model= and by session.model")
        asked = {("type",): "realtime", **asked, ("model",): model}
    return tree(asked) or None


def is_translation(session: GivenSession) -> bool:
    """Whether a session is one that translates."""
    if isinstance(session, Mapping):
        return session.get("type") == "translation"
    return isinstance(session, TranslationSessionConfig)


def refuse_tuning(session: Tree) -> None:
    """Raise for what a call by SIP does not take: "the tuning fields of server_vad".

    Raises:
        InvalidConfig: It names them.
    """
    vad = leaves(session).get(_TURN_DETECTION)
    if isinstance(vad, dict) and vad.get("type", "server_vad") == "server_vad":
        named = ", ".join(sorted(_TUNING & vad.keys()))
        if named:
            raise InvalidConfig(f"turn_detection: a call by SIP does not take {named}")


def _translation(session: Any) -> Tree:
    """A translation session; its `type` is ours alone, and is not sent."""
    if plain(session).get("model") in (None, ""):
        raise InvalidConfig("a translation session needs a model, such as gpt-realtime-translate")
    config = translation_from(session, {})
    assert config is not None, "it has a model"
    return tree(asked_by(config))
