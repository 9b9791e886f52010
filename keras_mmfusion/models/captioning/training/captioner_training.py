"""The training loop of captioners: resumable at any step, stoppable at any time."""

import contextlib
import os
import pathlib
import time

import keras
import numpy as np

from keras_mmfusion.models.captioning.training.training_log import TrainingLog, readable

CHECKPOINT = "checkpoint.weights.h5"
BEST = "best"


class CaptionerTraining:
    """Trains a compiled captioner on batches, keeps the best on dev, and goes on after a kill.

    The folder holds the checkpoint (weights and optimizer, replaced atomically), `log.csv` with a
    line an epoch, and `best`, the preset of the epoch with the best dev score. Where a run stands
    is the optimizer's step count, so a run that starts again on the same folder continues with
    the very next batch and ends as one that was never stopped.

    With an optimizer that keeps a moving average of the weights (`use_ema=True`), the average is
    what dev scores and what `best` holds; training goes on from the weights themselves.

    Args:
        model: compiled `ImageCaptioningModel`.
        sequence: `keras.utils.PyDataset` of `(x, y, sample_weight)`, with a settable `epoch`.
        folder: string or path.
        evaluate: function without arguments, the model's scores on dev as a dict of floats.
        monitor: string. The score of which the best epoch is kept.
        checkpoint_seconds: float. Time between checkpoints within an epoch.
        save_preset: function of a folder, which writes the preset there. Defaults to the model's.
        tensorboard: bool. Whether to write events for TensorBoard beside the log.
        stage: string. What the printed lines call this training.
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
        """Trains until `epochs` are done in total, over all runs on the folder.

        Args:
            epochs: int.
            stop_after: float. Seconds after which to write a checkpoint and stop.

        Returns:
            True when all epochs are done, False when time ran out before.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        steps = len(self.sequence)
        step = self._restore()
        begin = saved = time.monotonic()
        for epoch in range(step // steps, epochs):
            sequence = self._sequence_at(epoch)
            title = f"{self.stage}, epoch {epoch + 1}/{epochs}"
            print(title, flush=True)
            progress = keras.utils.Progbar(steps)
            self.model.reset_metrics()
            epoch_begin, first_step = time.monotonic(), step
            for index in range(step % steps, steps):
                self._seed_dropout(step)
                x, y, sample_weight = sequence[index]
                logs = self.model.train_on_batch(x, y, sample_weight, return_dict=True)
                logs.update(_reward(sequence))
                step += 1
                progress.update(index + 1, [(name, float(value)) for name, value in logs.items()])
                now = time.monotonic()
                if index + 1 == steps:
                    break  # An epoch's last checkpoint comes after its evaluation.
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
                print(f"{title}: {readable(row)}", flush=True)
                self._log(epoch, row)
            self._save()
            saved = time.monotonic()
        return True

    def _seed_dropout(self, step):
        """What a step draws depends on the step alone, so that a resumed run draws the same."""
        for variable in self.model.variables:
            if variable.name == "seed_generator_state":
                seed, _ = keras.ops.convert_to_numpy(variable)
                # Far enough apart for the draws of one step, near enough for uint32.
                variable.assign(np.array([seed, step * 1024 % 2**32], "uint32"))

    @contextlib.contextmanager
    def _averaged_weights(self):
        """Within it the model has the moving average of its weights, where there is one."""
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
        scratch = self.folder / f".{os.getpid()}.{CHECKPOINT}"
        try:
            self.model.save_weights(scratch)
            os.replace(scratch, self.folder / CHECKPOINT)
        finally:
            scratch.unlink(missing_ok=True)

    def _log(self, epoch, row):
        earlier = [float(old[self.monitor]) for old in self.log.rows_before(epoch + 1)]
        if row[self.monitor] > max(earlier, default=float("-inf")):
            self.save_preset(self.folder / BEST)
        self.log.write({"epoch": epoch + 1, **row})


def _reward(sequence):
    reward = getattr(sequence, "mean_reward", None)
    return {} if reward is None else {"reward": reward}
