"""How the frames of a dialect are written, as data: renames, and tables from path to path.

The beta protocol and GA say the same things in other places: its session is flat, where GA's
is nested, a format is a word, where GA has an object. So a difference is a line in a table, a
`Field`, that says where a value stands there and where here, and how it is spelled; both
directions are read from the same line. `translate` follows the tables, and is all that does.

Values are given to a spelling as they stood in the frame (`msgspec.Raw`), because most only
move and need not be read for that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import msgspec

__all__ = ["PCM_RATE", "SAME", "Field", "Path", "Spelling", "Wire"]

Path = tuple[str, ...]

PCM_RATE: Final = 24_000
"""What `pcm16` is sampled at where nothing else is said, in hertz."""


def _as_it_is(value: msgspec.Raw) -> Any:
    return value


class Spelling(NamedTuple):
    """How a value is written: `read` makes GA's of theirs, `write` theirs of GA's.

    What does not look as expected is returned as it is; the codec or the server will say so.
    """

    read: Callable[[msgspec.Raw], Any] = _as_it_is
    write: Callable[[msgspec.Raw], Any] = _as_it_is


SAME: Final = Spelling()
"""The value is the same in both."""


class Field(NamedTuple):
    """A value that stands at the path `theirs` in their object, and at `ga` in GA's.

    `rate` is of an audio format: the name beside it that holds its sampling rate, where the
    format itself does not say it.
    """

    theirs: Path
    ga: Path
    spelling: Spelling = SAME
    rate: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """Where a dialect's frames differ from GA's.

    - `events`: their server events by GA's names. Client events have GA's names but those in
      `updates`.
    - `unfinished`: server events, by GA's names, that are another where they say of themselves
      `status: in_progress`.
    - `parts`: content types of the assistant's messages that come; `writes_parts`: those that
      go out. Parts of other roles are the same everywhere.
    - `session`, `response`, `request`: the fields of `session`, of the `response` that a server
      shows, and of the one that `response.create` asks for.
    - `frames`: by GA's name of a server event, fields of the frame itself.
    - `typed`: whether their session has a `type`. Where it has none, `kinds` has the events
      whose name says that it is no conversation, and `updates` the update of such a kind.
    - `assumed`: what a session has where the server does not show it.

    Where a server shows a value in GA's place, that one counts, and theirs stays where it is.
    """

    events: Mapping[str, str] = field(default_factory=dict)
    unfinished: Mapping[str, str] = field(default_factory=dict)
    parts: Mapping[str, str] = field(default_factory=dict)
    writes_parts: Mapping[str, str] = field(default_factory=dict)
    session: tuple[Field, ...] = ()
    response: tuple[Field, ...] = ()
    request: tuple[Field, ...] = ()
    frames: Mapping[str, tuple[Field, ...]] = field(default_factory=dict)
    typed: bool = True
    kinds: Mapping[str, str] = field(default_factory=dict)
    updates: Mapping[str, str] = field(default_factory=dict)
    assumed: Mapping[Path, Any] = field(default_factory=dict)
