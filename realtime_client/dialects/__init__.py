"""How servers differ from the GA protocol, as data. Client code and every machine see GA only.

`Dialect` has what there is to know of a family of servers, `known` the families, and
`translate` changes frames by their tables, on the way in and on the way out.
"""

from realtime_client.dialects.dialect import Dialect
from realtime_client.dialects.known import BETA, GA, HUGGING_FACE, QWEN, VOICE_LIVE, XAI_GROK
from realtime_client.dialects.translate import incoming, outgoing
from realtime_client.dialects.wire import Field, Spelling, Wire

__all__ = [
    "BETA",
    "GA",
    "HUGGING_FACE",
    "QWEN",
    "VOICE_LIVE",
    "XAI_GROK",
    "Dialect",
    "Field",
    "Spelling",
    "Wire",
    "incoming",
    "outgoing",
]
