"""What a caller holds of a response: `handle`, its outputs, its streams' sorting, its numbers."""

from realtime_client.response.delivery import deliver
from realtime_client.response.handle import AllAudio, Response
from realtime_client.response.metrics import Metrics, Timings
from realtime_client.response.outputs import Acting, Call, McpApproval, McpCall, Message, Output

__all__ = [
    "Acting",
    "AllAudio",
    "Call",
    "McpApproval",
    "McpCall",
    "Message",
    "Metrics",
    "Output",
    "Response",
    "Timings",
    "deliver",
]
