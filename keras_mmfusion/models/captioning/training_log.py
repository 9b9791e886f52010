"""The scores of every epoch: a CSV file, and events for TensorBoard if asked for."""

import csv
import os
import pathlib

LOG = "log.csv"


class TrainingLog:
    """`log.csv` in a folder, a row an epoch, replaced atomically; TensorBoard's events beside it.

    Args:
        folder: string or path.
        tensorboard: bool. Whether to write events too; needs the package tensorboardX.
    """

    def __init__(self, folder, tensorboard=False):
        self.path = pathlib.Path(folder) / LOG
        self._event_writer = _event_writer_class() if tensorboard else None

    def rows_before(self, epoch):
        """The rows of earlier epochs. One that a kill cut off before its checkpoint runs again."""
        if not self.path.exists():
            return []
        with self.path.open(newline="") as file:
            return [row for row in csv.DictReader(file) if int(row["epoch"]) < epoch]

    def write(self, row):
        """Adds the row of an epoch, a dict of numbers with `"epoch"`, and prints it."""
        epoch = row["epoch"]
        rows = [*self.rows_before(epoch), row]
        scratch = self.path.with_suffix(".tmp")
        with scratch.open("w", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(row))
            writer.writeheader()
            writer.writerows(rows)
        os.replace(scratch, self.path)
        print(" - ".join(f"{name} {value}" for name, value in row.items()), flush=True)
        if self._event_writer:
            # A file an epoch: what a kill leaves of one is replaced when the epoch runs again.
            with self._event_writer(
                str(self.path.parent), purge_step=epoch, filename_suffix=f".epoch_{epoch}"
            ) as events:
                for name, value in row.items():
                    if name != "epoch":
                        events.add_scalar(name, value, epoch)


def _event_writer_class():
    try:
        from tensorboardX import SummaryWriter
    except ImportError as error:
        raise ImportError(
            "Events for TensorBoard need the package tensorboardX: "
            "`pip install keras-mmfusion[tensorboard]`."
        ) from error
    return SummaryWriter
