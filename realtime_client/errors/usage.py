"""The call was wrong: nothing was sent, and no state changed."""

from __future__ import annotations

from realtime_client.errors.root import RealtimeError

__all__ = [
    "InvalidAudio",
    "InvalidClientEvent",
    "InvalidConfig",
    "InvalidImage",
    "InvalidTool",
    "MissingCredentials",
    "NotSupported",
    "UsageError",
    "WouldDeadlock",
]


class UsageError(RealtimeError, ValueError):
    """The call itself was wrong. Nothing was sent and no state changed."""


class MissingCredentials(UsageError):
    """There is no key for the endpoint, neither as an argument nor in its variable."""


class InvalidConfig(UsageError):
    """A session field has a name, a type or a value that the server cannot accept."""


class InvalidAudio(UsageError):
    """Samples, a sample rate, a dtype or an array shape that cannot be audio."""


class InvalidClientEvent(UsageError):
    """An event given to `send` does not fit the protocol."""


class InvalidTool(UsageError):
    """A function whose signature does not say what the model may pass to it."""


class InvalidImage(UsageError):
    """Bytes that are not a picture of a kind that a server takes."""


class NotSupported(UsageError):
    """The endpoint cannot do that; its dialect says so."""


class WouldDeadlock(UsageError):
    """A tool asked the conversation for a response that its own missing output holds back."""
