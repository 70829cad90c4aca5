"""Everything this package raises on purpose, as one small tree.

::

    RealtimeError
    ├── UsageError                    the call was wrong; nothing was sent
    │   ├── MissingCredentials        no key for this endpoint
    │   ├── InvalidConfig             a session field that cannot be
    │   ├── InvalidAudio              samples, rate or shape that cannot be
    │   ├── InvalidClientEvent        an event that does not fit the protocol
    │   ├── InvalidTool               a function that cannot be offered as a tool
    │   ├── InvalidImage              bytes that are no picture
    │   ├── NotSupported              this endpoint cannot do that
    │   └── WouldDeadlock             a tool waits for what waits for the tool
    ├── ServerError                   the server answered with an error
    │   ├── SessionUpdateRejected     ... to a `session.update`
    │   ├── ResponseRejected          ... to a `response.create`
    │   ├── ResponseFailed            ... in a `response.done` with status `failed`
    │   └── RequestRefused            ... to a REST request, by its HTTP status
    ├── ResponseAbandoned             the server went silent about a response
    ├── ResponseWithdrawn             cancelled before it was asked for
    ├── ConversationBusy              a response of the conversation is active
    ├── ConfigDrift                   an update was acknowledged with other values
    ├── SyncIncomplete                a part of `conversation.sync` was refused
    ├── ToolError                     a tool tells the model why it came to nothing
    ├── DeviceError                   no sound on this machine, or not that device
    ├── UnreadableAnswer              a REST request succeeded, and nobody knows at what
    ├── WebhookRefused                nothing shows that it is the server's, or it is not new
    ├── InvalidServerEvent            the server sent what cannot be read
    ├── TraceFailed                   the callback given as `trace=` raised
    ├── SlowConsumer                  a stream nobody read grew past its bound
    ├── AcknowledgementTimeout        the server did not answer in time
    └── ConnectionFailed              the connection, not the call
        ├── ConnectFailed             it could not be opened
        │   ├── CredentialFailed      the function that gives the credential gave none
        │   ├── CertificateRefused    the server could not show who it is
        │   ├── HandshakeRefused      HTTP said no
        │   ├── SessionSilent         HTTP said yes, and then nobody said anything
        │   └── SessionRefused        HTTP said yes, the first event said no
        │       ├── KeyRefused        ... to the key
        │       ├── ModelRefused      ... to the model, or to an older protocol
        │       └── PolicyRefused     ... by a policy, or because it is full
        ├── ConnectionLost            it was open and broke
        │   └── ReconnectFailed       ... and no other could be had in its place
        └── ClientClosed              it is closed because you closed it

Whether a second try can help is a property of the error (`retryable`), so that
nobody has to match message texts. Every error carries its facts as attributes;
none of them ever carries a credential.
"""

from realtime_client.errors.calls import (
    AcknowledgementTimeout,
    ConfigDrift,
    ConversationBusy,
    DeviceError,
    InvalidServerEvent,
    ResponseAbandoned,
    ResponseWithdrawn,
    SlowConsumer,
    SyncIncomplete,
    ToolError,
    TraceFailed,
    UnreadableAnswer,
    WebhookRefused,
)
from realtime_client.errors.connection import (
    CertificateRefused,
    ClientClosed,
    ConnectFailed,
    ConnectionFailed,
    ConnectionLost,
    CredentialFailed,
    HandshakeRefused,
    KeyRefused,
    ModelRefused,
    PolicyRefused,
    ReconnectFailed,
    SessionRefused,
    SessionSilent,
)
from realtime_client.errors.root import (
    RealtimeError,
)
from realtime_client.errors.server import (
    RequestRefused,
    ResponseFailed,
    ResponseRejected,
    ServerError,
    SessionUpdateRejected,
)
from realtime_client.errors.usage import (
    InvalidAudio,
    InvalidClientEvent,
    InvalidConfig,
    InvalidImage,
    InvalidTool,
    MissingCredentials,
    NotSupported,
    UsageError,
    WouldDeadlock,
)

__all__ = [
    "AcknowledgementTimeout",
    "CertificateRefused",
    "ClientClosed",
    "ConfigDrift",
    "ConnectFailed",
    "ConnectionFailed",
    "ConnectionLost",
    "ConversationBusy",
    "CredentialFailed",
    "DeviceError",
    "HandshakeRefused",
    "InvalidAudio",
    "InvalidClientEvent",
    "InvalidConfig",
    "InvalidImage",
    "InvalidServerEvent",
    "InvalidTool",
    "KeyRefused",
    "MissingCredentials",
    "ModelRefused",
    "NotSupported",
    "PolicyRefused",
    "RealtimeError",
    "ReconnectFailed",
    "RequestRefused",
    "ResponseAbandoned",
    "ResponseFailed",
    "ResponseRejected",
    "ResponseWithdrawn",
    "ServerError",
    "SessionRefused",
    "SessionSilent",
    "SessionUpdateRejected",
    "SlowConsumer",
    "SyncIncomplete",
    "ToolError",
    "TraceFailed",
    "UnreadableAnswer",
    "UsageError",
    "WebhookRefused",
    "WouldDeadlock",
]
