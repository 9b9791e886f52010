"""The training loop of captioners, which can be stopped and resumed at any step."""

import contextlib
import pathlib
import time

import keras
import numpy as np

from keras_mmfusion._progress import inform, track
from keras_mmfusion.files.atomic_files import replace_file
from keras_mmfusion.models.captioning.training.training_log import TrainingLog, format_scores

CHECKPOINT = "checkpoint.weights.h5"
BEST = "best"


class CaptionerTraining:
    """Trains a captioner, keeps the best dev checkpoint and resumes after interruption.

    The folder contains the checkpoint (weights and optimizer, replaced atomically), `log.csv` with
    one row per epoch, and `best`, the preset of the epoch with the best dev score. The optimizer's
    step count determines the position of a run, so a resumed run continues with the next batch and
    gives the same result as an uninterrupted one.

    With an optimizer that keeps a moving average of the weights (`use_ema=True`), the average is
    evaluated and saved to `best`; training continues from the weights themselves.

    Args:
        model: compiled `Captioner`.
        sequence: `keras.utils.PyDataset` of `(x, y, sample_weight)` with an `epoch` attribute.
        folder: string or path.
        evaluate: function without arguments that returns the dev scores, a dict of floats.
        monitor: string. The score that selects the best epoch.
        checkpoint_seconds: float. Time between checkpoints within an epoch.
        save_preset: function of a folder that writes the preset. Defaults to
            `model.save_to_preset`.
        tensorboard: bool. Whether to write TensorBoard events next to the log.
        stage: string. Name of the training stage in the printed output.
    """

    def __init__(
        self,
        model,
        sequence,
        folder,
        evaluate,
        monitor="cider",
        checkpoint_seconds=120.0,
        save_preset=None,
        tensorboard=False,
        stage="Training",
    ):
        self.model = model
        self.sequence = sequence
        self.folder = pathlib.Path(folder)
        self.log = TrainingLog(folder, tensorboard)
        self.evaluate = evaluate
        self.monitor = monitor
        self.checkpoint_seconds = checkpoint_seconds
        self.stage = stage
        self.save_preset = save_preset or model.save_to_preset

    def run(self, epochs, stop_after=None):
        """Trains until `epochs` are completed in total, including earlier runs on the folder.

        Args:
            epochs: int.
            stop_after: float. Seconds after which to write a checkpoint and stop.

        Returns:
            True if all epochs are completed, False if `stop_after` was reached first.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        steps = len(self.sequence)
        step = self._restore()
        begin = saved = time.monotonic()
        for epoch in range(step // steps, epochs):
            sequence = self._sequence_at(epoch)
            title = f"{self.stage}, epoch {epoch + 1}/{epochs}"
            self.model.reset_metrics()
            epoch_begin, first_step = time.monotonic(), step
            for index in track(range(step % steps, steps), title):
                self._seed_dropout(step)
                x, y, sample_weight = sequence[index]
                logs = self.model.train_on_batch(x, y, sample_weight, return_dict=True)
                logs.update(_reward(sequence))
                step += 1
                now = time.monotonic()
                if index + 1 == steps:
                    break  # The last checkpoint of an epoch is written after its evaluation.
                out_of_time = stop_after is not None and now - begin > stop_after
                if out_of_time or now - saved > self.checkpoint_seconds:
                    self._save()
                    saved = now
                if out_of_time:
                    return False
            logs["learning_rate"] = keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)
            logs["batches_per_second"] = (step - first_step) / (time.monotonic() - epoch_begin)
            with self._averaged_weights():
                scores = {name: float(value) for name, value in self.evaluate().items()}
                logs["seconds"] = time.monotonic() - epoch_begin
                row = {**{name: float(value) for name, value in logs.items()}, **scores}
                inform(f"{title}: {format_scores(row)}")
                self._log(epoch, row)
            self._save()
            saved = time.monotonic()
        return True

    def _seed_dropout(self, step):
        """Seeds dropout by the step, so that a resumed run draws the same random numbers."""
        for variable in self.model.variables:
            if variable.name == "seed_generator_state":
                seed, _ = keras.ops.convert_to_numpy(variable)
                # Large enough for the draws of one step, small enough for uint32.
                variable.assign(np.array([seed, step * 1024 % 2**32], "uint32"))

    @contextlib.contextmanager
    def _averaged_weights(self):
        """Replaces the weights by their moving average, if there is one, in a context."""
        optimizer = getattr(self.model.optimizer, "inner_optimizer", self.model.optimizer)
        if not optimizer.use_ema:
            yield
            return
        variables = self.model.trainable_variables
        weights = [keras.ops.convert_to_numpy(variable) for variable in variables]
        optimizer.finalize_variable_values(variables)
        try:
            yield
        finally:
            for variable, weight in zip(variables, weights, strict=True):
                variable.assign(weight)

    def _sequence_at(self, epoch):
        while self.sequence.epoch < epoch:
            self.sequence.on_epoch_end()
        return self.sequence

    def _restore(self):
        path = self.folder / CHECKPOINT
        if not path.exists():
            return 0
        self.model.optimizer.build(self.model.trainable_variables)
        self.model.load_weights(path)
        return int(self.model.optimizer.iterations.numpy())

    def _save(self):
        with replace_file(self.folder / CHECKPOINT) as scratch:
            self.model.save_weights(scratch)

    def _log(self, epoch, row):
        earlier = [float(old[self.monitor]) for old in self.log.rows_before(epoch + 1)]
        if row[self.monitor] > max(earlier, default=float("-inf")):
            self.save_preset(self.folder / BEST)
        self.log.write({"epoch": epoch + 1, **row})


def _reward(sequence):
    reward = getattr(sequence, "mean_reward", None)
    return {} if reward is None else {"reward": reward}
