"""Frames as a server would send them, for tests of everything below the shell."""

from __future__ import annotations

from typing import Any

import msgspec


def frame(type: str, **fields: Any) -> bytes:  # noqa: A002 - the wire's own name
    return msgspec.json.encode({"type": type, **fields})


def read(raw: bytes) -> dict[str, Any]:
    value = msgspec.json.decode(raw)
    assert isinstance(value, dict)
    return value


def session(**fields: Any) -> dict[str, Any]:
    pcm = {"type": "audio/pcm", "rate": 24000}
    audio = {"input": {"format": pcm}, "output": {"format": pcm, "voice": "alloy"}}
    return {"type": "realtime", "id": "sess_1", "audio": audio, **fields}


def error(event_id: str | None, code: str, message: str = "no", **fields: Any) -> bytes:
    details = {"type": "invalid_request_error", "code": code, "message": message, **fields}
    return frame("error", error={**details, "event_id": event_id})


def created(response_id: str, metadata: dict[str, str] | None = None) -> bytes:
    response: dict[str, Any] = {"id": response_id, "status": "in_progress", "metadata": metadata}
    return frame("response.created", response=response)


def done(response_id: str, status: str = "completed", **fields: Any) -> bytes:
    response = {"id": response_id, "status": status, "output": [], **fields}
    return frame("response.done", response=response)


def message(item_id: str, role: str = "assistant", **fields: Any) -> dict[str, Any]:
    return {"type": "message", "id": item_id, "role": role, "content": [], **fields}
