"""What a Realtime server offers beside the session: short-lived keys, calls, webhooks.

::

    async with Rest(OpenAI()) as rest:
        secret = await rest.client_secrets.create({"model": "gpt-realtime"}, expires_after=60)

        call = verify(body, headers, webhook_secret)
        await rest.calls.accept(call.call_id, model="gpt-realtime", voice="marin")

`line` is one request, tried as often as `retry` says is safe; `failures` is what becomes of it
otherwise. `verify` needs no connection. This package is not imported by `realtime_client`
itself, because it loads httpx.
"""

from realtime_client.rest.calls import CallAnswer, Calls
from realtime_client.rest.client import Rest
from realtime_client.rest.client_secrets import ClientSecret, ClientSecrets
from realtime_client.rest.retry import Retry
from realtime_client.rest.webhooks import IncomingCall, Replays, UnknownWebhook, verify

__all__ = [
    "CallAnswer",
    "Calls",
    "ClientSecret",
    "ClientSecrets",
    "IncomingCall",
    "Replays",
    "Rest",
    "Retry",
    "UnknownWebhook",
    "verify",
]
