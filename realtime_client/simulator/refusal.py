"""How the server says no.

A refused client event changes nothing and becomes exactly one `error` event; the session
goes on. So every room of the simulator raises a `Refusal` before it touches its state, and
one place (the session) turns it into the event, with the `event_id` of what was refused.
Codes are those that PROTOCOL names; where the wire's own code is not known, `invalid_value`.
"""

from realtime_client.events import ErrorDetails, ErrorEvent

__all__ = ["Refusal"]


class Refusal(Exception):
    """A client event that the server does not accept.

    `param` is the path of the offending field in the client's event, such as
    `session.audio.output.speed`, or None where no single field is to blame.
    """

    def __init__(self, code: str, message: str, param: str | None = None) -> None:
        self.code = code
        self.message = message
        self.param = param
        super().__init__(f"{code}: {message}")

    def event(self, event_id: str | None) -> ErrorEvent:
        """Return the `error` event that answers the client event `event_id`."""
        return ErrorEvent(
            error=ErrorDetails(
                type="invalid_request_error",
                code=self.code,
                message=self.message,
                param=self.param,
                event_id=event_id,
            )
        )
