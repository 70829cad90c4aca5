"""Bytes of any length in, pieces of one length out."""

from __future__ import annotations

__all__ = ["Chunker"]


class Chunker:
    """Cuts a stream of bytes into pieces of exactly `size` bytes, and keeps the rest."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._held = bytearray()

    @property
    def held(self) -> int:
        """Bytes that are waiting for the rest of their piece; always fewer than `size`."""
        return len(self._held)

    def push(self, data: bytes) -> list[bytes]:
        """Take `data`; give the pieces that are complete now."""
        self._held += data
        end = len(self._held) - len(self._held) % self.size
        with memoryview(self._held) as view:
            pieces = [bytes(view[at : at + self.size]) for at in range(0, end, self.size)]
        del self._held[:end]
        return pieces

    def flush(self) -> list[bytes]:
        """Give what is left as one shorter piece, if anything is."""
        rest = [bytes(self._held)] if self._held else []
        self._held.clear()
        return rest

    def clear(self) -> None:
        """Drop what is left."""
        self._held.clear()
