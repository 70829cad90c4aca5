"""What a server says about its rate limits after a response.

"`rate_limits.updated` comes after `response.done`, often not at all, with only a `tokens`
entry." The limit is full again after a minute, so what a response took comes back in its share
of one. Every response is counted by itself: as if the minute before it had been quiet.
"""

from realtime_client.events import RateLimit, RateLimitsUpdated, Usage

__all__ = ["TOKENS_A_MINUTE", "rate_limits"]

TOKENS_A_MINUTE = 40_000


def rate_limits(usage: Usage) -> RateLimitsUpdated:
    """Return what is left after a response that took this much."""
    used = min(usage.total_tokens or 0, TOKENS_A_MINUTE)
    tokens = RateLimit(
        name="tokens",
        limit=TOKENS_A_MINUTE,
        remaining=TOKENS_A_MINUTE - used,
        reset_seconds=60 * used / TOKENS_A_MINUTE,
    )
    return RateLimitsUpdated(rate_limits=(tokens,))
