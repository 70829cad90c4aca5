"""From what a person writes to the session object of a translation.

It is another object than a conversation's: it has no turns, no voice and no formats, and the
three fields that can be changed have a shortcut each. `session.type` is "not required" in its
updates and is not sent; the model is a part of the address.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypedDict

import msgspec

from realtime_client.addresses import Address, shown
from realtime_client.codec import client_event_from_dict, encode
from realtime_client.endpoints import Endpoint
from realtime_client.errors import InvalidClientEvent, InvalidConfig, UsageError
from realtime_client.events import (
    TRANSLATION,
    NoiseReduction,
    Transcription,
    TranslationSessionConfig,
    TranslationSessionUpdate,
)
from realtime_client.former import refuse_former_names
from realtime_client.options import Shortcuts, plain, with_shortcuts
from realtime_client.targets import Target
from realtime_client.written import lost

__all__ = ["AnyTranslation", "TranslationShortcuts", "translation_from", "translation_target"]

DEFAULT_MODEL: Final = "gpt-realtime-translate"

AnyTranslation = TranslationSessionConfig | Mapping[str, Any]


class TranslationShortcuts(TypedDict, total=False):
    """The keyword shortcuts of `Translator(...)` and their types.

    `language` is the code of the language to be spoken, such as `de`. `transcription` writes
    down what is heard, `noise_reduction` filters it; a bare string stands for the model of the
    one and the type of the other, and None turns it off.
    """

    language: str
    transcription: Transcription | Mapping[str, Any] | str | None
    noise_reduction: NoiseReduction | Mapping[str, Any] | str | None


_SHORTCUTS: Final[Shortcuts] = {
    "language": (("audio", "output", "language"), None),
    "transcription": (("audio", "input", "transcription"), "model"),
    "noise_reduction": (("audio", "input", "noise_reduction"), "type"),
}


def translation_from(
    session: AnyTranslation | None, shortcuts: Mapping[str, Any]
) -> TranslationSessionConfig | None:
    """One session object out of a struct or dict and keyword shortcuts; None where nothing is
    given.

    Raises:
        InvalidConfig: An unknown name, one of an older client, a value that does not fit, a
            field given twice, or a session of another kind.
    """
    tree = plain(session) if session is not None else {}
    refuse_former_names({**tree, **shortcuts})
    kind = tree.pop("type", "translation")
    if kind != "translation":
        raise InvalidConfig(f"session.type is {kind!r}; it must be 'translation'")
    with_shortcuts(tree, shortcuts, _SHORTCUTS)
    if not tree:
        return None
    try:
        update = {"type": "session.update", "session": tree}
        event: Any = client_event_from_dict(update, TRANSLATION)
    except InvalidClientEvent as error:
        raise InvalidConfig(str(error)) from None
    assert isinstance(event, TranslationSessionUpdate)
    for path in lost(tree, msgspec.json.decode(encode(event.session))):
        raise InvalidConfig(f"a translation session has no field {path}")
    return event.session


def translation_target(
    endpoint: Endpoint, model: str | None, config: TranslationSessionConfig | None
) -> Target:
    """What to ask for: the model that was named, once or several times the same; or the default.

    Raises:
        UsageError: Two models are named, or none on Azure, or the URL asks for something else.
    """
    named = Address.read(endpoint.url).target
    if named is not None and named.kind != "translation":
        name, value = named.query
        raise UsageError(
            f"{shown(endpoint.url)} asks for {name}={value!r}, which is no translation; "
            "give the URL without it"
        )
    configured = config.model if config is not None else None
    models = dict.fromkeys(filter(None, (model, configured, named.model if named else None)))
    if len(models) > 1:
        raise UsageError(f"the model is given twice: {' and '.join(map(repr, models))}")
    if not models and endpoint.default_model is None:
        raise UsageError("name the model; on Azure it is the name of a deployment")
    return Target.translation(next(iter(models), DEFAULT_MODEL))
