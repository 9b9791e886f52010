"""The record of a captioner's training run: its inputs and its progress."""

import dataclasses
import shutil

import keras

from keras_mmfusion.models.captioning.training.encoder_digest import describe_start
from keras_mmfusion.models.runs.image_digest import ImageDigests, describe_pairs
from keras_mmfusion.models.runs.run_record import (
    RECORD,
    check_record,
    compute_folder_digest,
    describe_code,
    list_changes,
    read_record,
    write_record,
)

CROSS_ENTROPY, FINE_TUNING, SELF_CRITICAL = "cross_entropy", "fine_tuning", "self_critical"
# Settings that affect only one stage. All others affect the first stage.
_STAGE_SETTINGS = {
    CROSS_ENTROPY: (),
    FINE_TUNING: ("fine_tune_epochs", "fine_tune_learning_rate"),
    SELF_CRITICAL: (
        "self_critical_epochs",
        "self_critical_learning_rate",
        "self_critical_blocks",
        "self_critical_average",
        "samples",
    ),
}
_CHOICES = (
    "Discard that run and start over with `--restart` (`restart=True`); use another folder, "
    "`--out` or `--work` (`work`); or restore the original inputs."
)


class CaptionerRun:
    """Records the inputs of a training run in its folder and checks them when it is resumed.

    Args:
        recipe, start, train, dev: see `train_captioner`.
        work: `pathlib.Path`. Folder of the run.
    """

    def __init__(self, recipe, start, train, dev, work):
        self.work = work
        self._digests = ImageDigests(read_record(work).get("image_digests"))
        self.metadata = {
            **describe_code("captioning"),
            # The same seed gives other random numbers on other backends.
            "keras": f"{keras.__version__} on {keras.config.backend()}",
            **describe_start(start),
            **{
                f"{kind} of {split}": value
                for split, pairs in (("train", train), ("dev", dev))
                for kind, value in describe_pairs(pairs, self._digests).items()
            },
            **dataclasses.asdict(recipe),
        }

    def check(self):
        """Raises an error if the folder contains a run of other data, settings or code."""
        started = [stage for stage in _STAGE_SETTINGS if (self.work / stage).exists()]
        if not started:
            return
        # The settings of stages that have not started yet may change.
        stages = list(_STAGE_SETTINGS)
        remaining = stages[stages.index(started[-1]) + 1 :]
        free = {name for stage in remaining for name in _STAGE_SETTINGS[stage]}
        metadata = {name: value for name, value in self.metadata.items() if name not in free}
        check_record(self.work, metadata, _CHOICES, what="a training run")

    def discard(self):
        """Removes an earlier run from the folder, except for its feature maps."""
        (self.work / RECORD).unlink(missing_ok=True)
        for stage in reversed(_STAGE_SETTINGS):
            if (self.work / stage).exists():
                shutil.rmtree(self.work / stage)

    def record(self, out=None):
        """Writes the record of the run, with a digest of its preset once there is one."""
        written = {} if out is None else {"preset": compute_folder_digest(out)}
        write_record(self.work, self.metadata, image_digests=self._digests.cache, **written)

    def has_written(self, out):
        """Returns whether the run is finished and its preset is in `out`."""
        record = read_record(self.work)
        if not record.get("preset") or list_changes(record["metadata"], self.metadata):
            return False
        return record["preset"] == compute_folder_digest(out)
