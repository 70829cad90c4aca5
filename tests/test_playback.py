from __future__ import annotations

from realtime_client.playback import PlaybackLedger


def test_received_is_counted_by_item_and_content() -> None:
    ledger = PlaybackLedger()
    ledger.on_audio("a", 0, 10)
    ledger.on_audio("a", 0, 5)
    ledger.on_audio("a", 1, 3)
    ledger.on_audio("b", 0, 7)
    assert [ledger.received("a"), ledger.received("a", 1), ledger.received("b")] == [15, 3, 7]
    ledger.forget("a")
    assert [ledger.received("a"), ledger.received("a", 1), ledger.received("b")] == [0, 0, 7]
