"""The life of a function call, and when the model is asked to go on.

"`response.function_call_arguments.done` and `response.output_item.done` both deliver the
finished call: dispatch once." Here it is the finished item that counts, and only one whose
status is `completed`: "a cancelled response can deliver a call item with status `incomplete`
and cut-off JSON: never dispatch that." A server that gives its items no status has to say
first, by its `response.done`, that nothing was cut off. What `response.done` lists and no
event has delivered is dispatched then.

Calls are dispatched as they come, and each output goes into the conversation as soon as there
is one. The model is asked to go on once for a response, not once for a call: when the response
is done and every call of it has its output, whoever gave it. It is not asked where nothing was
answered here (calls by hand are followed up by hand), where the response was `cancelled` or
`failed` or what was called has been interrupted since (somebody has spoken, and has the next
word), where another response that can see all the outputs has been asked for, and not for
ever: `max_rounds` times in a row. A create with an `input` of its own sees no outputs.

A call of a response outside the conversation is told and left alone: its output would be
refused. One of another party on the session is theirs. A call of a response that was asked
for without tools is answered with an error and never run. The functions that a create alone
was given are kept here until its response is over.

The table is the whole life of a call; what it does not name changes nothing::

    OURS ----left to the user--> BY_HAND
    OURS, OFF, BY_HAND --output--> ANSWERED --refused--> VOID
"""

from realtime_client.calls.life import (
    TABLE,
    ByHand,
    Dispatch,
    FollowUp,
    Input,
    News,
    NoFollowUp,
    State,
    Why,
    Withdraw,
)
from realtime_client.calls.machine import Calls

__all__ = [
    "TABLE",
    "ByHand",
    "Calls",
    "Dispatch",
    "FollowUp",
    "Input",
    "News",
    "NoFollowUp",
    "State",
    "Why",
    "Withdraw",
]
