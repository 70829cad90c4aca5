"""Bytes of any length in, pieces of one length out."""

from __future__ import annotations

__all__ = ["Chunker"]


class Chunker:
    """Cuts a stream of bytes into pieces of exactly `size` bytes, and keeps the rest."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._next = size
        self._held = bytearray()

    @property
    def held(self) -> int:
        """Bytes that are waiting for the rest of their piece; always fewer than `size`."""
        return len(self._held)

    @property
    def missing(self) -> int:
        """Bytes that complete the next piece; at least 1."""
        return self._next - len(self._held)

    def shorten(self, by: int) -> None:
        """Make the next piece `by` bytes shorter, and only that one, if nothing is held."""
        if not self._held:
            self._next = max(1, self.size - by)

    def push(self, data: bytes) -> list[bytes]:
        """Take `data`; give the pieces that are complete now."""
        self._held += data
        pieces = []
        start = 0
        with memoryview(self._held) as view:
            while len(view) - start >= self._next:
                pieces.append(bytes(view[start : start + self._next]))
                start += self._next
                self._next = self.size
        del self._held[:start]
        return pieces

    def flush(self) -> list[bytes]:
        """Give what is left as one shorter piece, if anything is."""
        rest = [bytes(self._held)] if self._held else []
        self.clear()
        return rest

    def clear(self) -> None:
        """Drop what is left."""
        self._held.clear()
        self._next = self.size
