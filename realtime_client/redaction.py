"""What of a session object is shown, and what is not: a tool's credentials.

The tools of an MCP server carry what opens it: `authorization`, `headers`, and perhaps a user
and a password in its address. They have to go to the model's server, and nowhere else. Errors,
reports and reprs end in logs, so those have `***` in their place: that there was one is worth
knowing, and the shape stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

__all__ = ["HIDDEN", "redacted", "without"]

HIDDEN: Final = "***"

_USER: Final = re.compile(r"^((?:[^/?#@]*://)?)[^/?#]*@")
"""What stands before the last `@` of a host is a user and a password."""


SHORTEST: Final = 8
"""Letters of a secret: a shorter text is none, and to hide every `1` would hide the reason."""


def without(text: str, secrets: Iterable[str]) -> str:
    """A text of somebody else without what was sent to him in secret."""
    for secret in secrets:
        if len(secret) >= SHORTEST:
            text = text.replace(secret, HIDDEN)
    return text


def redacted(value: Any) -> Any:
    """A copy of a plain value without the credentials in it.

    The schema of a function is no place for any, and is left alone.
    """
    if isinstance(value, dict):
        return {
            key: field if key == "parameters" else _field(key, field)
            for key, field in value.items()
        }
    if isinstance(value, tuple) and hasattr(value, "_make"):  # a named one stays what it is
        return value._make(map(redacted, value))
    if isinstance(value, (list, tuple)):
        return type(value)(map(redacted, value))
    return value


def _field(name: Any, value: Any) -> Any:
    if name == "authorization" and isinstance(value, str):
        return HIDDEN
    if name == "headers" and isinstance(value, dict):
        return {key: HIDDEN if isinstance(one, str) else one for key, one in value.items()}
    if name == "server_url" and isinstance(value, str):
        return _USER.sub(rf"\1{HIDDEN}@", value)
    return redacted(value)
