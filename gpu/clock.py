"""Training progress as a function of time."""

import time


class Clock:
    """Training progress that grows from its current value to 1 at the deadline.

    Learning rates and stages depend only on the progress, so training fits any time budget on any
    machine. Skipped time, such as for compilation, does not increase the progress; the remaining
    training is faster instead.

    Args:
        seconds: float. Time until the deadline.
        progress: float in [0, 1]. The current progress.
        steps: int. Count this many ticks instead of seconds, for tests.
    """

    def __init__(self, seconds, progress=0.0, steps=None):
        self.progress = progress
        self._share = None if steps is None else (1 - progress) / steps
        self._last = time.monotonic()
        self._deadline = self._last + seconds

    def tick(self):
        """Adds the time since the last call."""
        now = time.monotonic()
        left = self._deadline - self._last
        if self._share is not None:
            step = self._share
        else:
            step = (1 - self.progress) * (now - self._last) / left if left > 0 else 1.0
        # Rounding errors must not lead to an additional step.
        self.progress = self.progress + step if self.progress + step < 1 - 1e-9 else 1.0
        self._last = now

    def skip(self):
        """Ignores the time since the last call, unless ticks are counted."""
        if self._share is not None:
            self.tick()
        self._last = time.monotonic()
