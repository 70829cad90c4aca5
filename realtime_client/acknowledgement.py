"""Whom does a `session.updated` answer? The theory, and the table of it.

"`session.updated` carries no client id." With one update on the wire it answers that one, and
at once if it shows what was asked. If it does not, it is either our answer with values that
the server did not take, or somebody else's change that came in between; and to take the one
for the other would shift every later answer to the wrong caller. So it waits for `SETTLE`
seconds: another word of the server within them settles the question, and else it is presumed
to have been our answer.

Silence makes an update *uncertain*: its caller is told. A `session.updated` that then comes
is its late answer, unless it shows what the next one asked for. Late answers are reported and
given to nobody.

An `error` needs no table: it names the update that it rejects, or it concerns nobody.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, TypeAlias

from realtime_client.errors import ServerError
from realtime_client.events import (
    Session,
    SessionUpdate,
    TranslationSessionConfig,
    TranslationSessionUpdate,
)
from realtime_client.leaves import Drift, Leaves

__all__ = [
    "LATE_WINDOW",
    "OTHERWISE",
    "SETTLE",
    "TABLE",
    "Acknowledgement",
    "Effective",
    "Input",
    "Intent",
    "Meaning",
    "Notice",
    "State",
    "Update",
]

Effective: TypeAlias = Session | TranslationSessionConfig
"""What a server shows of a session of any kind."""

Update: TypeAlias = SessionUpdate | TranslationSessionUpdate | dict[str, Any]
"""A `session.update` as it goes out."""

SETTLE: Final = 0.5
"""Seconds for which an answer that does not show what was asked may be somebody else's."""

LATE_WINDOW: Final = 60.0
"""Seconds for which an uncertain update is expected to be answered after all."""


class Intent(NamedTuple):
    """An update that somebody asked for.

    `command` is the caller's own event where it must go out as it is, and None where the
    smallest update is made of `asked`. `expires` is when its caller stops waiting. The
    update that opens a connection is alone with the server: nobody else's word can come in
    between.
    """

    event_id: str
    asked: Leaves
    expires: float
    between_turns: bool = False
    command: Update | None = None
    opening: bool = False


class Acknowledgement(NamedTuple):
    """The server's answer to an update."""

    effective: Effective
    """The server's session object, whole."""
    changed: tuple[str, ...]
    """The paths whose acknowledged values are others than before."""
    ignored: tuple[Drift, ...]
    """The fields where the server's value is not what was asked."""
    confirmed: bool = True
    """Whether the server has said so. Where its dialect has no such answer, `effective` is its
    last word from before, and `changed` and `ignored` are empty because nobody knows."""


class Notice(NamedTuple):
    """Something about the configuration that everybody may want to know."""

    kind: str
    """`created`, `answer`, `foreign` (nobody here asked), `late` (an uncertain update was
    answered after all), or `late_rejection`."""
    session: Effective | None
    event_id: str | None = None
    error: ServerError | None = None


class State(enum.Enum):
    """What is known about the wire."""

    UNBORN = "no session yet"
    QUIET = "nothing on the wire"
    ASKING = "one update on the wire"
    DOUBTFUL = "nothing on the wire, but an earlier one was never answered"
    ASKING_IN_DOUBT = "one on the wire, and an earlier one was never answered"


class Input(enum.Enum):
    """The two events that carry the server's session object."""

    CREATED = "session.created"
    UPDATED = "session.updated"


class Meaning(enum.Enum):
    """Whom such an event answers. Its session is the server's word in any case."""

    BORN = "created"
    """The session exists."""
    FOREIGN = "foreign"
    """Nobody here asked: a sideband, a second party."""
    ANSWER = "answer"
    """The update on the wire."""
    LATE = "late"
    """The one that was never answered; nobody waits for it any more."""
    ANSWER_OR_FOREIGN = "answer or foreign"
    """The one on the wire if it shows what that one asked; else time will tell."""
    ANSWER_OR_LATE = "answer or late"
    """The one on the wire if it shows what that one asked, and late if it does not."""


TABLE: Final[Mapping[tuple[State, Input], Meaning]] = {
    (State.UNBORN, Input.CREATED): Meaning.BORN,
    (State.UNBORN, Input.UPDATED): Meaning.BORN,
    (State.QUIET, Input.CREATED): Meaning.FOREIGN,
    (State.QUIET, Input.UPDATED): Meaning.FOREIGN,
    (State.ASKING, Input.CREATED): Meaning.FOREIGN,
    (State.ASKING, Input.UPDATED): Meaning.ANSWER_OR_FOREIGN,
    (State.DOUBTFUL, Input.CREATED): Meaning.FOREIGN,
    (State.DOUBTFUL, Input.UPDATED): Meaning.LATE,
    (State.ASKING_IN_DOUBT, Input.CREATED): Meaning.FOREIGN,
    (State.ASKING_IN_DOUBT, Input.UPDATED): Meaning.ANSWER_OR_LATE,
}
"""Every pair there is."""

OTHERWISE: Final[Mapping[Meaning, Meaning]] = {
    Meaning.ANSWER_OR_FOREIGN: Meaning.ANSWER_OR_FOREIGN,
    Meaning.ANSWER_OR_LATE: Meaning.LATE,
}
"""What it is that does not show what was asked."""
