"""A stretch of audio together with how it is written on the wire."""

from dataclasses import dataclass

import numpy as np
import pybase64
from numpy.typing import NDArray

from realtime_client.audio import WireFormat

__all__ = ["Clip"]


@dataclass(frozen=True, eq=False)
class Clip:
    """Mono int16 `samples` at the rate of `format`."""

    samples: NDArray[np.int16]
    format: WireFormat

    @property
    def duration_ms(self) -> int:
        """Whole milliseconds, rounded down."""
        return len(self.samples) * 1000 // self.format.rate

    @property
    def base64(self) -> str:
        """The audio as it is on the wire."""
        return pybase64.b64encode_as_string(self.format.encode(self.samples))

    def until(self, end_ms: int) -> "Clip":
        """Return the first `end_ms` milliseconds."""
        return Clip(self.samples[: end_ms * self.format.rate // 1000], self.format)
