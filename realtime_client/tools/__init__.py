"""A typed Python function as something that the model may call.

The signature says everything that is needed, once: the names and types of the arguments, which
of them may be left out, and with `Annotated[..., msgspec.Meta(...)]` what else holds for them.
From it msgspec makes both the JSON schema that the model gets and the validator of what the
model sends, so the two cannot differ. The docstring says what the function is for, and its
`Args:` section what each argument means.

An argument that the model leaves out is not passed at all, so that a default is Python's own
business: any value, made and changed where it stands. An argument that the function does not
have is an error, and the schema says so (`additionalProperties: false`).

Structs, dataclasses, typed dictionaries and enums are written out in the schema where they are
used, because not every server that speaks this protocol resolves references; only a type that
contains itself stays a reference into `$defs`.

What an exception says may hold what is nobody else's business (a path, a query, a key), and the
model's server is another host. So the words of a `ToolError`, which is raised on purpose, go
to the model; of any other exception it learns only that there was one.
"""

from realtime_client.tools.function import (
    MAX_OUTPUT,
    ToolError,
    ToolFunction,
    error_text,
    output_text,
    refuse_undecorated,
    tool,
)

__all__ = [
    "MAX_OUTPUT",
    "ToolError",
    "ToolFunction",
    "error_text",
    "output_text",
    "refuse_undecorated",
    "tool",
]
