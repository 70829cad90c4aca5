"""Which function a name stands for: as long as the server has not said yes, the former one.

A `session.update` brings its functions when it is acknowledged. The reader knows that before
the caller does, and a call may come in between; so the question is put to the configuration,
which says whether the update is still on its way, and whether the session is another one.

Where a caller has not waited for the answer, nobody knows. Then the functions stay in reserve,
for names that the server is seen to offer and that no function in force has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from realtime_client.acknowledgement import Effective
from realtime_client.config import Configuration
from realtime_client.errors import ServerError, UsageError
from realtime_client.leaves import Leaves
from realtime_client.tools import ToolFunction, refuse_undecorated

__all__ = ["Function", "Functions", "by_name"]

Function = ToolFunction[..., Any]


class _Update(NamedTuple):
    """An update on its way: what it asks for, and the session as it was."""

    asked: Leaves
    before: Effective | None
    functions: Mapping[str, Function]


class Functions:
    """The functions of a session; `config` gives the configuration that it has now."""

    def __init__(self, config: Callable[[], Configuration]) -> None:
        self._config = config
        self._in_force: dict[str, Function] = {}
        self._asked: list[_Update] = []
        self._doubtful: dict[str, Function] = {}

    def __len__(self) -> int:
        return len(self._in_force)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the functions in force."""
        return tuple(self._in_force)

    def add(self, functions: Mapping[str, Function]) -> None:
        """Put these in force."""
        self._in_force.update(functions)

    def get(self, name: str) -> Function | None:
        """The function in force."""
        for update in reversed(self._asked):
            if name in update.functions and self._is_taken(update):
                return update.functions[name]
        return self._in_force.get(name)

    def reserve(self, name: str) -> Function | None:
        """One that somebody has asked for and that may have come, where none is in force."""
        return self._doubtful.get(name)

    @contextmanager
    def adopting(self, asked: Leaves, functions: Mapping[str, Function]) -> Iterator[None]:
        """Within the block an update is asked for; its functions come with its answer."""
        update = _Update(asked, self._config().acknowledged, functions)
        self._asked.append(update)
        self._doubtful.update(functions)
        known = True
        try:
            yield
            self.add(functions)
        except (ServerError, UsageError):
            raise
        except BaseException:
            known = False  # cancelled, or without an answer in time: it may come after all
            raise
        finally:
            self._asked = [one for one in self._asked if one is not update]
            if known:
                left = self._doubtful.items()
                self._doubtful = {n: one for n, one in left if functions.get(n) is not one}

    def _is_taken(self, update: _Update) -> bool:
        config = self._config()
        waits = any(intent.asked is update.asked for intent in config.in_flight)
        return not waits and config.acknowledged is not update.before


def by_name(tools: Iterable[Function]) -> dict[str, Function]:
    """Functions by their names.

    Raises:
        InvalidTool: Something is not made by `@tool`.
        UsageError: Two of them have the same name.
    """
    named: dict[str, Function] = {}
    for one in tools:
        refuse_undecorated(one)
        if not isinstance(one, ToolFunction):
            raise UsageError(f"{one!r} is not a tool; make it one with @tool")
        if named.setdefault(one.name, one) is not one:
            raise UsageError(f"two tools are named {one.name!r}")
    return named
