"""The scores of every epoch: a CSV file, and events for TensorBoard if asked for."""

import csv
import os
import pathlib

from keras_mmfusion._extras import require_extra

LOG = "log.csv"


class TrainingLog:
    """`log.csv` in a folder, a row an epoch, replaced atomically; TensorBoard's events beside it.

    Args:
        folder: string or path.
        tensorboard: bool. Whether to write events too; needs the package tensorboardX.
    """

    def __init__(self, folder, tensorboard=False):
        self.path = pathlib.Path(folder) / LOG
        self._event_writer = None
        if tensorboard:
            require_tensorboard()
            from tensorboardX import SummaryWriter

            self._event_writer = SummaryWriter

    def rows_before(self, epoch):
        """The rows of earlier epochs. One that a kill cut off before its checkpoint runs again."""
        if not self.path.exists():
            return []
        with self.path.open(newline="") as file:
            return [row for row in csv.DictReader(file) if int(row["epoch"]) < epoch]

    def write(self, row):
        """Adds the row of an epoch, a dict of numbers with `"epoch"`."""
        epoch = row["epoch"]
        rows = [*self.rows_before(epoch), row]
        scratch = self.path.with_suffix(".tmp")
        with scratch.open("w", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(row))
            writer.writeheader()
            writer.writerows(rows)
        os.replace(scratch, self.path)
        if self._event_writer:
            # A file an epoch: what a kill leaves of one is replaced when the epoch runs again.
            with self._event_writer(
                str(self.path.parent), purge_step=epoch, filename_suffix=f".epoch_{epoch}"
            ) as events:
                for name, value in row.items():
                    if name != "epoch":
                        events.add_scalar(name, value, epoch)


def require_tensorboard():
    """Raises a `MissingExtraError` if events for TensorBoard cannot be written."""
    require_extra("tensorboard", "Writing events for TensorBoard", "tensorboardX")


def readable(scores):
    """Scores as one line, each with four significant digits.

    Example:

    >>> readable({"loss": 3.14159265, "bleu_4": 2.7414653956603884e-10, "cider": 0.5})
    'loss 3.142 - bleu_4 2.741e-10 - cider 0.5'
    """
    return " - ".join(f"{name} {value:.4g}" for name, value in scores.items())
