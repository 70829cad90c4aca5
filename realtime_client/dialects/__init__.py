"""How a server differs from the GA protocol, as data.

Client code and every machine see GA only. A dialect is a frozen value of flags and
names that the core consults; it is never a subclass, so that no behaviour hides in it.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["GA", "Dialect"]


@dataclass(frozen=True, slots=True)
class Dialect:
    """The traits of one family of servers.

    `echoes_metadata`: `response.created` repeats the `metadata` of its `response.create`,
    which is how a response finds its caller. Where it does not, the oldest pending create
    matches.

    `out_of_band`: it has responses outside the conversation (`conversation: "none"`).
    """

    name: str
    echoes_metadata: bool = True
    out_of_band: bool = True


GA = Dialect("ga")
"""OpenAI and Azure OpenAI, the reference."""
