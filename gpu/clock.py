"""How far a training is, by the time that it is given."""

import time


class Clock:
    """A progress that goes from where a training stands to 1, and is there at the deadline.

    Learning rates and stages depend on the progress alone, so a training fits whatever time it has
    on whatever machine. Time that was skipped, such as for compiling, advances nothing, and the
    rest of the training is the quicker for it.

    Args:
        seconds: float. Time until the deadline.
        progress: float in [0, 1]. Where the training stands.
        steps: int. Counts this many ticks in place of seconds. For tests.
    """

    def __init__(self, seconds, progress=0.0, steps=None):
        self.progress = progress
        self._share = None if steps is None else (1 - progress) / steps
        self._last = time.monotonic()
        self._deadline = self._last + seconds

    def tick(self):
        """Counts the time since the last call."""
        now = time.monotonic()
        left = self._deadline - self._last
        if self._share is not None:
            step = self._share
        else:
            step = (1 - self.progress) * (now - self._last) / left if left > 0 else 1.0
        # Rounding must not leave a rest that takes a step more.
        self.progress = self.progress + step if self.progress + step < 1 - 1e-9 else 1.0
        self._last = now

    def skip(self):
        """Leaves the time since the last call out, unless ticks are counted."""
        if self._share is not None:
            self.tick()
        self._last = time.monotonic()
