"""How far a bulk captioning is, told on stderr while it runs."""

import datetime
import sys
import threading
import time

from keras_mmfusion.serving.bulk.shard_plan import planned_shards
from keras_mmfusion.serving.bulk.stored_files import names_in

TERMINAL_SECONDS = 1  # Between two states of the line on a terminal,
LOG_SECONDS = 30  # and between two lines where stderr is a file or a pipe.
WAITING = "waiting for a worker"


class LocalWork:
    """What workers in this process have done. That of other processes shows in the files alone."""

    def __init__(self):
        self._lock = threading.Lock()
        self.images = 0
        self.stage = WAITING

    def add(self, images):
        with self._lock:
            self.images += images


LOCAL_WORK = LocalWork()


class ProgressReport:
    """A context manager: while it is open, the state of the work is on stderr.

    On a terminal the state is one line, which changes; elsewhere a line is added now and then.

    Args:
        plan: string. The plan's path, of `make_plan`.
        out: string. The folder that the captions go into.
    """

    def __init__(self, plan, out):
        self._out = out
        # A file of TFRecords has any number of images.
        self._sizes = {
            shard.captions_name: 0 if shard.is_records else len(shard.files)
            for shard in planned_shards(plan)
        }
        self._done_before = self._finished()
        self._images_before = LOCAL_WORK.images
        self._started = self._working_since = time.monotonic()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        LOCAL_WORK.stage = WAITING

    def __enter__(self):
        self._terminal = sys.stderr.isatty()
        self._thread.start()
        return self

    def __exit__(self, *error):
        self._stopped.set()
        self._thread.join()
        self._print("\n" if self._terminal else "")

    def _run(self):
        seconds = TERMINAL_SECONDS if self._terminal else LOG_SECONDS
        self._print()
        while not self._stopped.wait(seconds):
            self._print()

    def _print(self, end=None):
        line = self.line(ended=end is not None)
        if self._terminal:
            sys.stderr.write(f"\r{line}\x1b[K{end or ''}")  # The rest of the line is erased.
        else:
            sys.stderr.write(f"{line}\n")
        sys.stderr.flush()

    def line(self, ended=False):
        """The state of the work, as a string: what is done, and the stage, the rate or the time."""
        now = time.monotonic()
        finished = self._finished()
        before = self._images(self._done_before)
        images = max(LOCAL_WORK.images - self._images_before, self._images(finished) - before)
        shards = len(finished) - len(self._done_before)
        total = sum(self._sizes.values())
        of_total = f" of {total:,}" if total else ""
        state = f"mmfusion: {before + images:,}{of_total} images, "
        state += f"{len(finished):,} of {len(self._sizes):,} shards, "
        if ended:
            return f"{state}ended after {_clock(now - self._started)}"
        if not images and not shards:
            self._working_since = now
            return f"{state}{LOCAL_WORK.stage} ({_clock(now - self._started)})"
        seconds = max(now - self._working_since, 1e-3)
        state += f"{images / seconds:.1f} images/s"
        if total:
            left = seconds * (total - before - images) / images
        elif shards:
            left = seconds * (len(self._sizes) - len(finished)) / shards
        else:
            return state
        return f"{state}, {_clock(left)} left"

    def _finished(self):
        return names_in(self._out, "captions-") & self._sizes.keys()

    def _images(self, names):
        return sum(self._sizes[name] for name in names)


def _clock(seconds):
    """Hours, minutes and seconds.

    Example:

    >>> _clock(3725.4)
    '1:02:05'
    """
    return str(datetime.timedelta(seconds=round(seconds)))
