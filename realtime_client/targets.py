"""What is asked for at the address of an endpoint.

The kind of a session is fixed at connect, by the query of its URL: the model of a
conversation, the intent to transcribe, or the call that somebody else has opened. No update
can change it afterwards, so it is a value of its own beside the configuration.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, Self, TypeAlias

from realtime_client.errors import UsageError

__all__ = ["Kind", "Target"]

Kind: TypeAlias = Literal["realtime", "transcription", "translation", "sideband"]

_NAMES: Final[dict[Kind, str | None]] = {
    "realtime": "model",
    "transcription": None,
    "translation": "model",
    "sideband": "call_id",
}
"""The field that a kind has; the other one stays None."""


@dataclass(frozen=True, slots=True)
class Target:
    """What is asked for at an address; made by one of the four methods that name a kind.

    Raises:
        UsageError: A model, or the id of a call, is missing or has no place.
    """

    kind: Kind
    model: str | None = None
    call_id: str | None = None

    def __post_init__(self) -> None:
        for name, value in (("model", self.model), ("call_id", self.call_id)):
            wanted = _NAMES[self.kind] == name
            if wanted and not (isinstance(value, str) and value.strip()):
                raise UsageError(f"a session of kind {self.kind!r} needs a {name}: {value!r}")
            if not wanted and value is not None:
                raise UsageError(f"a session of kind {self.kind!r} has no {name}")

    @classmethod
    def realtime(cls, model: str) -> Self:
        """A conversation with a model. On Azure the model is the name of a deployment."""
        return cls("realtime", model)

    @classmethod
    def transcription(cls) -> Self:
        """Transcripts and nothing else. The model is a part of its configuration."""
        return cls("transcription")

    @classmethod
    def translation(cls, model: str) -> Self:
        """Speech in another language, as it is spoken."""
        return cls("translation", model)

    @classmethod
    def sideband(cls, call_id: str) -> Self:
        """A second connection to a call over SIP or WebRTC, by its id, `rtc_...`."""
        return cls("sideband", call_id=call_id)

    @property
    def query(self) -> tuple[str, str]:
        """How the query of the URL says it."""
        if self.call_id is not None:
            return "call_id", self.call_id
        return ("intent", "transcription") if self.model is None else ("model", self.model)
