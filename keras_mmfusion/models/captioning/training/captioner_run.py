"""The folder of a captioner's training: what it was begun with, and how far it has come."""

import dataclasses
import shutil

import keras

from keras_mmfusion.models.captioning.training.encoder_digest import encoder_digest
from keras_mmfusion.models.runs.image_digest import ImageDigests, pairs_facts
from keras_mmfusion.models.runs.run_record import (
    RECORD,
    changed_facts,
    check_record,
    code_facts,
    folder_digest,
    read_record,
    write_record,
)

CROSS_ENTROPY, FINE_TUNING, SELF_CRITICAL = "cross_entropy", "fine_tuning", "self_critical"
# The settings of the later stages alone. All others decide what the first stage does.
_OWN_SETTINGS = {
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
    "Discard that run and start over with `--restart` (`restart=True`); or give another folder, "
    "`--out` or `--work` (`work`); or go back to what it was begun with."
)


class CaptionerRun:
    """What a run of a `CaptionerRecipe` is made from, and the record of it in its folder.

    Args:
        recipe, image_encoder, train, dev: as for `train_captioner`.
        work: `pathlib.Path`. The folder of the run.
    """

    def __init__(self, recipe, image_encoder, train, dev, work):
        self.work = work
        self._digests = ImageDigests(read_record(work).get("known_images"))
        self.facts = {
            **code_facts("captioning"),
            # The same seeds draw other numbers elsewhere.
            "keras": f"{keras.__version__} on {keras.config.backend()}",
            "encoder": encoder_digest(image_encoder),
            **{
                f"{kind} of {split}": value
                for split, pairs in (("train", train), ("dev", dev))
                for kind, value in pairs_facts(pairs, self._digests).items()
            },
            **dataclasses.asdict(recipe),
        }

    def check(self):
        """Raises an error if the folder holds a run of other data, settings or code."""
        begun = [stage for stage in _OWN_SETTINGS if (self.work / stage).exists()]
        if not begun:
            return
        # A stage's settings count once it, or one after it, has begun.
        stages = list(_OWN_SETTINGS)
        to_come = stages[stages.index(begun[-1]) + 1 :]
        free = {name for stage in to_come for name in _OWN_SETTINGS[stage]}
        facts = {name: value for name, value in self.facts.items() if name not in free}
        check_record(self.work, facts, _CHOICES, what="a training run")

    def discard(self):
        """Removes what an earlier run left in the folder, but for feature maps."""
        (self.work / RECORD).unlink(missing_ok=True)
        for stage in reversed(_OWN_SETTINGS):
            if (self.work / stage).exists():
                shutil.rmtree(self.work / stage)

    def record(self, out=None):
        """Writes down what the run is made from and, at its end, what preset it wrote."""
        written = {} if out is None else {"preset": folder_digest(out)}
        write_record(self.work, self.facts, known_images=self._digests.known, **written)

    def has_written(self, out):
        """Whether the run is finished, and its preset is in `out`."""
        record = read_record(self.work)
        if not record.get("preset") or changed_facts(record["facts"], self.facts):
            return False
        return record["preset"] == folder_digest(out)
