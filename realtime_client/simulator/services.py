"""What every room of a session is given: policy, ids, the agenda, and a way to speak."""

from collections.abc import Callable
from dataclasses import dataclass

from realtime_client.events import ServerEvent
from realtime_client.simulator.agenda import Agenda
from realtime_client.simulator.policy import SimulatorPolicy

__all__ = ["Ids", "Services", "counting_ids"]

Ids = Callable[[str], str]
"""From a kind (`event`, `item`, `resp`, `call`, `conv`, `sess`) to a new id of it."""


@dataclass(frozen=True, kw_only=True)
class Services:
    """`emit` sends an event to the client, with an `event_id` of its own."""

    policy: SimulatorPolicy
    ids: Ids
    agenda: Agenda
    emit: Callable[[ServerEvent], None]


def counting_ids() -> Ids:
    """Return a source of ids that counts each kind by itself: `item_1`, `item_2`, ..."""
    counts: dict[str, int] = {}

    def new(kind: str) -> str:
        counts[kind] = counts.get(kind, 0) + 1
        return f"{kind}_{counts[kind]}"

    return new
