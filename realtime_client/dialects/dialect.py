"""What the client has to know of a family of servers: how they write, and what they do.

A dialect is a frozen value and never a subclass, so that no behaviour can hide in it. `wire`
is how its frames differ from GA's, as tables (see `wire`), and the flags are what its servers
do or leave undone. A flag is true where that was seen or is promised; where nobody has shown
it, it is false, and the client takes the way that works in both cases. One that you know
better is one `dataclasses.replace` away.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from realtime_client.dialects.wire import Wire

__all__ = ["Dialect"]


@dataclass(frozen=True, slots=True)
class Dialect:
    """The traits of one family of servers.

    `wire`: how its frames are written; None where they are GA's and nothing is translated.

    `echoes_metadata`: `response.created` repeats the `metadata` of its `response.create`, which
    is how a response finds its caller. Where that is not known, a key that comes back is used
    all the same, and a response without one answers the oldest pending create.

    `correlates_errors`: an `error` names the client event that it refuses. Where that is not
    known, an `error` that names none of ours refuses the one request that waits for an answer;
    where several wait, it could be about any, and refuses none.

    `acknowledges_updates`: `session.update` is answered by `session.updated`. Where it is not,
    an update counts as settled when it goes out, and its `Acknowledgement` is not `confirmed`.

    `acknowledges_truncation`: `conversation.item.truncate` is answered. Where that is not
    known, a truncation counts as done when it goes out; what is returned has no `event_id`.

    `out_of_band`: it has responses outside the conversation (`conversation: "none"`). Where
    that is not known, they are refused before anything is sent: a server that ignores the
    field would remember what was to be forgotten.

    `response_tool_choice`: `response.create` takes a `tool_choice` of its own. It is shown in
    `capabilities` and changes nothing else.

    `session_seconds`: how long a session lasts, counted from its start; None where nobody has
    said. The client changes connections before that.
    """

    name: str
    wire: Wire | None = field(default=None, hash=False, repr=False, kw_only=True)
    echoes_metadata: bool = True
    out_of_band: bool = True
    correlates_errors: bool = True
    acknowledges_updates: bool = True
    acknowledges_truncation: bool = True
    response_tool_choice: bool = True
    session_seconds: float | None = None
