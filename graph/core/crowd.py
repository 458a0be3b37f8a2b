"""How many sockets and event streams are open in this process, of each session and of each address, and the most there may be."""

from collections import Counter

from app.core.caller import Caller
from app.identity.rules.networks import host_of


class Crowded(Exception):
    """There are too many already; the message says whose they are, and what to do."""


class Crowd:
    """Counts them. A session counts its own wherever they come from; an address counts those that no session has claimed."""

    def __init__(self, *, per_session: int, per_address: int) -> None:
        self.per_session = per_session
        self.per_address = per_address
        self._open: Counter[str] = Counter()

    def __len__(self) -> int:
        """How many are open."""
        return self._open.total()

    def at_address(self, address: str) -> "Place":
        """A place for a connection of nobody yet. Raises Crowded."""
        sentence = f"{self.per_address} connections of your address have not signed in: try again in a moment."
        return Place(self, self._join(f"address:{host_of(address)}", self.per_address, sentence))

    def of_caller(self, caller: Caller) -> "Place":
        """A place for a connection of the caller's session, or else of its address. Raises Crowded."""
        if caller.session_id is None:
            return self.at_address(caller.address)
        sentence = f"This session has {self.per_session} connections open: share one, or close one first."
        return Place(self, self._join(f"session:{caller.tenant}:{caller.session_id}", self.per_session, sentence))

    def leave(self, key: str) -> None:
        self._open[key] -= 1
        if not self._open[key]:
            del self._open[key]

    def _join(self, key: str, most: int, sentence: str) -> str:
        if self._open[key] >= most:
            raise Crowded(sentence)
        self._open[key] += 1
        return key


class Place:
    """Where one connection is counted, until the `with` block ends."""

    def __init__(self, crowd: Crowd, key: str) -> None:
        self._crowd = crowd
        self._key = key

    def __enter__(self) -> None:
        return None

    def __exit__(self, *error: object) -> None:
        self._crowd.leave(self._key)

    def move_to(self, caller: Caller) -> None:
        """From its address into the caller's session. Raises Crowded, and then stays where it was."""
        former, self._key = self._key, self._crowd.of_caller(caller)._key
        self._crowd.leave(former)
