"""Logs of epoch scores: a CSV file and, optionally, TensorBoard events."""

import csv
import pathlib

from keras_mmfusion._extras import require_extra
from keras_mmfusion.files.atomic_files import replace_file

LOG = "log.csv"


class TrainingLog:
    """Writes `log.csv` with one row per epoch, and optionally TensorBoard events next to it.

    Args:
        folder: string or path.
        tensorboard: bool. Whether to write TensorBoard events; requires tensorboardX.
    """

    def __init__(self, folder, tensorboard=False):
        self.path = pathlib.Path(folder) / LOG
        self._event_writer = None
        if tensorboard:
            require_tensorboard()
            from tensorboardX import SummaryWriter

            self._event_writer = SummaryWriter

    def rows_before(self, epoch):
        """Returns the rows of earlier epochs; an epoch interrupted before its checkpoint reruns."""
        if not self.path.exists():
            return []
        with self.path.open(newline="") as file:
            return [row for row in csv.DictReader(file) if int(row["epoch"]) < epoch]

    def write(self, row):
        """Adds a row, a dict of numbers with `"epoch"`."""
        epoch = row["epoch"]
        rows = [*self.rows_before(epoch), row]
        with replace_file(self.path) as scratch, scratch.open("w", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(row))
            writer.writeheader()
            writer.writerows(rows)
        if self._event_writer:
            # One file per epoch: the events of an interrupted epoch are replaced when it reruns.
            with self._event_writer(
                str(self.path.parent), purge_step=epoch, filename_suffix=f".epoch_{epoch}"
            ) as events:
                for name, value in row.items():
                    if name != "epoch":
                        events.add_scalar(name, value, epoch)


def require_tensorboard():
    """Raises a `MissingExtraError` if tensorboardX is not installed."""
    require_extra("tensorboard", "Writing TensorBoard events", "tensorboardX")


def format_scores(scores):
    """Formats scores as one line with four significant digits each.

    Example:

    >>> format_scores({"loss": 3.14159265, "bleu_4": 2.7414653956603884e-10, "cider": 0.5})
    'loss 3.142 - bleu_4 2.741e-10 - cider 0.5'
    """
    return " - ".join(f"{name} {value:.4g}" for name, value in scores.items())
