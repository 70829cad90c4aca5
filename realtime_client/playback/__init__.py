"""What was really heard: `PlaybackLedger` counts it, and says what an interruption cuts."""

from realtime_client.playback.facts import Cut, Progress, StopPlaying, Unheard
from realtime_client.playback.ledger import PlaybackLedger
from realtime_client.playback.over import KEPT

__all__ = ["KEPT", "Cut", "PlaybackLedger", "Progress", "StopPlaying", "Unheard"]
