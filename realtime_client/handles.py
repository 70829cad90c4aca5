"""The responses that somebody holds, and how their events reach them.

A handle is made when its response begins, if anybody would hold it: the caller of the create,
or whoever watches all responses. From then on it is known by weak reference only. The events
that belong to nobody are shown to those who watch for strays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from weakref import WeakValueDictionary

from realtime_client import events
from realtime_client.errors import RealtimeError
from realtime_client.frames import Happened
from realtime_client.lives import ResponseRecord
from realtime_client.response import Acting, Response, Timings, deliver
from realtime_client.verdicts import STRAY, Verdict
from realtime_client.watches import Watches

__all__ = ["Handles"]


class Handles:
    """All handles of one session."""

    def __init__(self, acting: Acting, watches: Watches) -> None:
        self._acting = acting
        self._watches = watches
        self._held: WeakValueDictionary[str, Response] = WeakValueDictionary()

    def tell(
        self, happened: Happened, now: float, wanted: Callable[[str], bool]
    ) -> Response | None:
        """Hand an event to its response; returns the handle of one that begins with it.

        `wanted` says of a request whether its caller still waits.
        """
        if happened.verdict in STRAY:
            self._watches.tell(self._watches.strays, happened)
        record = happened.response
        event: Any = happened.event
        if record is None or record.id is None:
            return None
        begins, handle = None, self._held.get(record.id)
        over = isinstance(event, events.ResponseDone)
        if happened.verdict is not Verdict.DELIVERED:
            if over and record.created and handle is not None:
                deliver(handle, event, now)  # its caller gave it up, and somebody else holds it
            return None
        begun = isinstance(event, events.ResponseCreated)
        if begun or (over and not record.created):
            asker = record.event_id is not None and wanted(record.event_id)
            if asker or self._watches.responses:
                handle = begins = self._begin(event.response, record, now)
        if handle is not None:
            deliver(handle, event, now)
        return begins

    def get(self, response_id: str) -> Response | None:
        """The handle of this id, if somebody holds it."""
        return self._held.get(response_id)

    def cut(self, item_ids: Iterable[str]) -> None:
        """Playing was interrupted: what is unread of these items is not to be read."""
        handles = list(self._held.values())
        for item_id in item_ids:
            for handle in handles:
                output = handle._by_item.get(item_id)
                if output is not None:
                    output.audio.cut()

    def end(self, error: RealtimeError) -> None:
        """The connection is over."""
        for handle in list(self._held.values()):
            handle._end(error)
            handle._follow(None, error)
        self._held.clear()  # another connection may use an id again

    def _begin(self, resource: Any, record: ResponseRecord, now: float) -> Response:
        asked = record.asked.at if record.asked is not None else None
        handle = Response(
            resource,
            initiator=record.initiator,
            audio_format=record.audio_format,
            acting=self._acting,
            timings=Timings(asked=asked, created=now),
        )
        self._held[record.id or ""] = handle
        self._watches.tell(self._watches.responses, handle)
        return handle
