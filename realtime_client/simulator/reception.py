"""Where clients come in: what all connections of one server share.

Every handshake is noted, whatever becomes of it, because what a client does after it was
refused, and with which credential it comes back, is what tests of it are about. Then the policy
says what happens to this connection, and who is let in gets a session: a new one, or where the
URL names a call that has one, that of the call, with everything that was said in it.
"""

from collections import deque
from collections.abc import Callable, Iterator
from itertools import cycle
from typing import Final

from realtime_client.events import SessionCreated
from realtime_client.simulator.admission import Hello, admit, has_api
from realtime_client.simulator.brain import Brain
from realtime_client.simulator.connection import Party, ServerConnection
from realtime_client.simulator.mishaps import Mishap, Refuse
from realtime_client.simulator.policy import SimulatorPolicy
from realtime_client.simulator.server import SimulatedSession
from realtime_client.simulator.services import counting_ids

__all__ = ["Reception"]

_NO_API: Final = Refuse(404, "The Realtime API is at /v1/realtime.\n")


class Reception:
    """What a server knows of its clients; `Server` and `MemoryServer` are one.

    `handshakes` are what all clients said to come in, also those that were refused;
    `connections` those that were not, and `sessions` the sessions that were made for them. All
    are in the order in which they came, and the last `keep` of each are kept, or all with None.
    """

    def __init__(self, policy: SimulatorPolicy, brain: Brain, *, keep: int | None) -> None:
        self.handshakes: deque[Hello] = deque(maxlen=keep)
        self.connections: deque[ServerConnection] = deque(maxlen=keep)
        self.sessions: deque[SimulatedSession] = deque(maxlen=keep)
        self._calls: deque[tuple[str, Party]] = deque(maxlen=keep)
        self._brain = brain
        self._ids = counting_ids()
        self.policy = policy

    @property
    def policy(self) -> SimulatorPolicy:
        """What the server is like. A new one is for the connections that come from then on."""
        return self._policy

    @policy.setter
    def policy(self, policy: SimulatorPolicy) -> None:
        self._policy = policy
        self._mishaps: Iterator[Mishap | None]
        self._mishaps = cycle(policy.mishaps) if policy.mishaps_repeat else iter(policy.mishaps)

    def knock(self, hello: Hello) -> Mishap | None:
        """Note a handshake; return what goes wrong with it."""
        self.handshakes.append(hello)
        return next(self._mishaps, None) if has_api(hello.url) else _NO_API

    def enter(
        self,
        hello: Hello,
        mishap: Mishap | None,
        *,
        now: Callable[[], float],
        epoch: float = 0.0,
    ) -> ServerConnection:
        """Let a client in. `epoch` is the Unix time at which the clock `now` was 0."""
        party = self._call(hello)
        greeting = []
        if party is None:
            party = self._new(hello, now(), epoch)
        else:
            party.pump(now())  # what it said before was not said to this one
            session = party.session
            greeting.append(session.frame(SessionCreated(session=session.settings.session)))
        connection = ServerConnection(party, now=now, hello=hello, mishap=mishap)
        connection.hand(greeting)
        self.connections.append(connection)
        return connection

    def _call(self, hello: Hello) -> Party | None:
        """Return who has the session of this call, if it has one that goes on."""
        if hello.call_id is None or admit(hello, self._policy) is not None:
            return None
        same = (party for call_id, party in self._calls if call_id == hello.call_id)
        return next((party for party in same if party.session.close_wanted is None), None)

    def _new(self, hello: Hello, now: float, epoch: float) -> Party:
        session = SimulatedSession(
            self._policy, self._brain, hello=hello, ids=self._ids, epoch=epoch
        )
        session.start(now)
        self.sessions.append(session)
        party = Party(session)
        if hello.call_id is not None:
            self._calls.append((hello.call_id, party))
        return party
