"""The functions that the model may call, and the tasks that run them.

Each call runs in a task of its own beside the others, sync functions in a thread, each within
its time limit, and whatever becomes of it, the model gets exactly one output: the result, or
an error that says what was wrong. Nothing that a function raises goes further than that. When
all calls of a response have their outputs, the model is asked to go on, once (see `calls`).

A function that waits for a response of the conversation would wait for ever: that response
comes after the outputs, and its own output is missing. So a task knows which call it runs
(`refuse_deadlock`), and is told at once. What a function leaves running in the background is
free to ask as soon as the output is on its way, and out of band it may ask at any time.

The functions of a response are its own, whoever has a function of the same name; those of an
update come with its acknowledgement.

A call that nobody here has a function for is answered with an error, unless the session or its
response was given a tool of that name by definition only: then it is the user's to answer by
hand, with a `function_call_output` of his own.
"""

from realtime_client.toolbox.box import Toolbox
from realtime_client.toolbox.host import Host
from realtime_client.toolbox.report import ToolReport
from realtime_client.toolbox.running import refuse_deadlock

__all__ = ["Host", "ToolReport", "Toolbox", "refuse_deadlock"]
