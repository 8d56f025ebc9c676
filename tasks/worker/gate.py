"""Many jobs at once, or one job alone."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Gate:
    """What a thread passes before it claims a job, and leaves when that job is over.

    A job that has brought down two workers runs alone, so that a third time it takes no neighbour with it:
    nobody enters any more, the others finish, it runs, the gate opens again.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._wanting_alone = 0
        self._alone = False
        self._closed = False
        self.num_entered = 0  #: So far.

    @property
    def closed(self) -> bool:
        return self._closed

    @property
    def shut(self) -> bool:
        """Nobody may enter now: one job is alone, or waits for that."""
        return self._alone or self._wanting_alone > 0

    def enter(self) -> bool:
        """Wait until jobs may be claimed. False: the gate is closed, and nothing was entered."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or not (self._alone or self._wanting_alone))
            if self._closed:
                return False
            self._inside += 1
            self.num_entered += 1
            return True

    def leave(self) -> None:
        with self._changed:
            self._inside -= 1
            if self._inside == 0:
                self._alone = False
            self._changed.notify_all()

    def become_alone(self, still_wanted: Callable[[], bool]) -> bool:
        """Having entered, wait until everybody else has left and keep the gate shut until `leave`.

        False: it was closed, or no longer wanted, before that; the caller then only leaves. Several that want
        to be alone take turns.
        """
        with self._changed:
            self._inside -= 1
            self._wanting_alone += 1
            try:
                while not self._closed and still_wanted():
                    if self._inside == 0:
                        self._alone = True
                        return True
                    # A canceled or lost job is not announced here, so ask again now and then.
                    self._changed.wait(0.1)
                return False
            finally:
                self._inside += 1
                self._wanting_alone -= 1
                self._changed.notify_all()

    def wait_closed(self, timeout: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._closed, timeout)

    def wait_empty(self, timeout: float) -> bool:
        """Wait until nobody is inside; whether that is so."""
        with self._changed:
            return self._changed.wait_for(lambda: self._inside + self._wanting_alone == 0, timeout)

    def close(self) -> None:
        """Nobody enters from now on: the worker claims no more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
