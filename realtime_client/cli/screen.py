"""A terminal for a conversation: whole lines above, what is happening now in the last one.

What is said for good goes to standard output, a line at a time, so that it can be kept. The last
line goes to standard error and only where that is a terminal: the meter, and the newest words
while they are still growing. Keys are looked for, never waited for.
"""

from __future__ import annotations

import shutil
import sys
from types import TracebackType
from typing import Any, Final, Self

import click

__all__ = ["Keyboard", "Screen"]

_BAR: Final = 12
_FAINT_DB: Final = -60.0
"""Where the bar of the meter begins, in dBFS; a quiet room is about there."""


class Screen:
    """Where a conversation is shown."""

    def __init__(self) -> None:
        self._is_live = sys.stderr.isatty()
        self._shown = ""
        self._growing = ""

    def line(self, who: str, words: object) -> None:
        """Something that is said for good."""
        self._growing = ""
        self.clear()
        click.echo(f"{who:<8} {_printable(str(words))}")

    def grow(self, who: str, words: str) -> None:
        """Something that is still being said."""
        self._growing = f"{who:<8} {_printable(words)}"

    def status(self, level_db: float, state: str) -> None:
        """Draw the last line: how loud the microphone is, how things are, the newest words."""
        if not self._is_live:
            return
        share = min(1.0, max(0.0, 1 - level_db / _FAINT_DB))
        head = f"[{'#' * round(share * _BAR):<{_BAR}}] {state:<9} "
        room = max(0, shutil.get_terminal_size().columns - 1 - len(head))
        text = head + (self._growing[-room:] if room else "")
        if text != self._shown:
            self._shown = text
            click.echo(f"\r\x1b[K{text}", err=True, nl=False)

    def clear(self) -> None:
        """Make room for a line of text."""
        if self._shown:
            click.echo("\r\x1b[K", err=True, nl=False)
            self._shown = ""


class Keyboard:
    """The keys of a terminal, one at a time and without Enter. No keys where there is none."""

    def __init__(self) -> None:
        self._restore: Any = None
        self._fd: int | None = None

    def __enter__(self) -> Self:
        if sys.stdin is not None and sys.stdin.isatty():
            self._fd = sys.stdin.fileno()
            if sys.platform != "win32":
                import termios
                import tty

                self._restore = termios.tcgetattr(self._fd)
                tty.setcbreak(self._fd)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if sys.platform != "win32" and self._fd is not None:
            import termios

            termios.tcsetattr(self._fd, termios.TCSADRAIN, self._restore)
        self._fd = None

    def pressed(self) -> str:
        """The next key that was pressed, in lower case, or nothing."""
        if self._fd is None:
            return ""
        if sys.platform == "win32":
            import msvcrt

            return msvcrt.getwch().lower() if msvcrt.kbhit() else ""
        import os
        import select

        ready, _, _ = select.select([self._fd], [], [], 0)
        if not ready:
            return ""
        # A terminal that has gone away has nothing to read, and is gone for good.
        return os.read(self._fd, 1).decode("ascii", "replace").lower() or "q"


def _printable(text: str) -> str:
    """Words of others, which must not control the terminal."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
