"""Reports the progress of bulk captioning on stderr."""

import datetime
import sys
import threading
import time

from keras_mmfusion._progress import is_silent
from keras_mmfusion.serving.bulk.beam_files import list_names
from keras_mmfusion.serving.bulk.shard_plan import read_shards

TERMINAL_SECONDS = 1  # Between updates of the line on a terminal.
LOG_SECONDS = 30  # Between lines if stderr is a file or a pipe.
WAITING = "waiting for a worker"


class LocalWork:
    """The work done by this process. Work of other processes shows only in the output files."""

    def __init__(self):
        self._lock = threading.Lock()
        self.images = 0
        self.stage = WAITING

    def add(self, images):
        with self._lock:
            self.images += images


LOCAL_WORK = LocalWork()


class ProgressReport:
    """Context manager that reports the progress on stderr.

    On a terminal, one line is updated every second; otherwise a line is added every 30 seconds.

    Args:
        plan: string. The path of the plan from `make_plan`.
        out: string. The output folder of the captions.
    """

    def __init__(self, plan, out):
        self._out = out
        # The number of images in a file of TFRecords is unknown.
        self._sizes = {
            shard.captions_name: 0 if shard.is_records else len(shard.files)
            for shard in read_shards(plan)
        }
        self._finished_before = self._find_finished()
        self._images_before = LOCAL_WORK.images
        self._started = self._working_since = time.monotonic()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        LOCAL_WORK.stage = WAITING

    def __enter__(self):
        self._is_terminal = sys.stderr.isatty()
        self._thread.start()
        return self

    def __exit__(self, *error):
        self._stopped.set()
        self._thread.join()
        self._print("\n" if self._is_terminal else "")

    def _run(self):
        seconds = TERMINAL_SECONDS if self._is_terminal else LOG_SECONDS
        self._print()
        while not self._stopped.wait(seconds):
            self._print()

    def _print(self, end=None):
        if is_silent():
            return
        line = self.format_line(is_finished=end is not None)
        if self._is_terminal:
            sys.stderr.write(f"\r{line}\x1b[K{end or ''}")  # Erases the rest of the line.
        else:
            sys.stderr.write(f"{line}\n")
        sys.stderr.flush()

    def format_line(self, is_finished=False):
        """Formats the progress: finished work, and the stage, the rate or the elapsed time."""
        now = time.monotonic()
        finished = self._find_finished()
        before = self._count_images(self._finished_before)
        images = max(LOCAL_WORK.images - self._images_before, self._count_images(finished) - before)
        shards = len(finished) - len(self._finished_before)
        total = sum(self._sizes.values())
        of_total = f" of {total:,}" if total else ""
        progress = f"mmfusion: {before + images:,}{of_total} images, "
        progress += f"{len(finished):,} of {len(self._sizes):,} shards, "
        if is_finished:
            return f"{progress}finished after {_format_seconds(now - self._started)}"
        if not images and not shards:
            self._working_since = now
            return f"{progress}{LOCAL_WORK.stage} ({_format_seconds(now - self._started)})"
        seconds = max(now - self._working_since, 1e-3)
        progress += f"{images / seconds:.1f} images/s"
        if total:
            remaining = seconds * (total - before - images) / images
        elif shards:
            remaining = seconds * (len(self._sizes) - len(finished)) / shards
        else:
            return progress
        return f"{progress}, {_format_seconds(remaining)} left"

    def _find_finished(self):
        return list_names(self._out, "captions-") & self._sizes.keys()

    def _count_images(self, names):
        return sum(self._sizes[name] for name in names)


def _format_seconds(seconds):
    """Formats seconds as hours, minutes and seconds.

    Example:

    >>> _format_seconds(3725.4)
    '1:02:05'
    """
    return str(datetime.timedelta(seconds=round(seconds)))
