"""A training loop with a time budget that keeps the best weights and can be resumed."""

import math
import os
import time

import keras
import numpy as np
from clock import Clock
from outputs import (
    OUTPUT_BYTES,
    add_prefix,
    assign_arrays,
    read_output,
    remove_prefix,
    to_float16_arrays,
    write_output,
)

# Time reserved for the final scores: a share of the budget, with a maximum in seconds.
LAST_SHARE, LAST_SECONDS = 0.15, 60.0


class Training:
    """Trains in stages, scores the averaged weights regularly, and keeps the best.

    After each scoring, the output folder has the best weights, the averaged weights if both fit,
    and the progress. Another run on this folder resumes from the averaged or else the best weights.
    The optimizer's state is not stored because of its size.

    Args:
        name: string. The name of the files.
        step: `TrainingStep`.
        out: string or path. The output folder.
        budget_seconds: float. The time limit.
        description: dict. The description of the model for the record.
        score: function without arguments that returns the scores, a dict of floats.
        monitor: name of the score that selects the best weights.
        scorings: int. How often to score.
    """

    def __init__(self, name, step, out, budget_seconds, description, score, monitor, scorings=20):
        self.name = name
        self.step = step
        self.out = out
        self.begin = time.monotonic()
        self.budget_seconds = budget_seconds
        self.score = score
        self.monitor = monitor
        self.scorings = scorings
        self.best = None
        self.record = {
            "progress": 0.0,
            "steps": 0,
            "best_score": -math.inf,
            "log": [],
            "done": False,
            **description,
        }
        self._restore()

    @property
    def model(self):
        return self.step.model

    @property
    def done(self):
        return self.record["done"]

    def run(self, stages):
        """Trains until all stages are finished or the time is over.

        Args:
            stages: list of `(end, train)`: the progress at which a stage ends, and a function of
                the step number and the progress within the stage that takes a training step and
                returns a dict of scalars for the log.
        """
        reserve = min(LAST_SHARE * self.budget_seconds, LAST_SECONDS)
        steps = os.environ.get("GPU_STEPS")
        clock = Clock(
            self.seconds_left() - reserve, self.record["progress"], int(steps) if steps else None
        )
        losses, compiled, begin = [], set(), time.monotonic()
        while clock.progress < 1:
            number = next(i for i, (end, _) in enumerate(stages) if clock.progress < end)
            start = stages[number - 1][0] if number else 0.0
            end, train = stages[number]
            within = (clock.progress - start) / (end - start)
            losses.append(train(self.record["steps"], within))
            self.record["steps"] += 1
            if number in compiled:
                clock.tick()
            else:  # The first step of a stage compiles.
                compiled.add(number)
                _wait_for(losses[-1])
                clock.skip()
            before, self.record["progress"] = self.record["progress"], clock.progress
            if math.floor(before * self.scorings) < math.floor(clock.progress * self.scorings):
                self._log(losses, len(losses) / (time.monotonic() - begin))
                losses, begin = [], time.monotonic()

    def finish(self, final):
        """Assigns the best weights, rounded to float16, to the model, and writes the final output.

        Args:
            final: function without arguments that returns a dict to add to the record.
        """
        assign_arrays(self.model.trainable_variables, self.best)
        self.record.update(final(), done=True)
        write_output(self.out, self.name, self.record, to_float16_arrays(self.model.weights))

    def seconds_left(self):
        return self.budget_seconds - (time.monotonic() - self.begin)

    def _log(self, losses, steps_a_second):
        with self.step.use_averaged_weights():
            scores = self.score()
            average = to_float16_arrays(self.model.trainable_variables)
        arrays = {}
        if self.best is None or scores[self.monitor] > self.record["best_score"]:
            self.best, self.record["best_score"] = average, scores[self.monitor]
        else:
            arrays = add_prefix("average.", average)
        row = {
            "progress": round(self.record["progress"], 4),
            "step": self.record["steps"],
            "steps_a_second": round(steps_a_second, 3),
            **{k: round(v, 4) for k, v in {**_average_losses(losses), **scores}.items()},
        }
        print(" - ".join(f"{key} {value}" for key, value in row.items()), flush=True)
        self.record["log"].append(row)
        arrays.update(add_prefix("best.", self.best))
        if sum(values.nbytes for values in arrays.values()) > OUTPUT_BYTES:
            arrays = add_prefix("best.", self.best)
        write_output(self.out, self.name, self.record, arrays)

    def _restore(self):
        result = read_output(self.out, self.name)
        if result is None:
            return
        record, arrays = result
        self.record.update(record)
        self.best = remove_prefix("best.", arrays)
        average = remove_prefix("average.", arrays) or self.best
        assign_arrays(self.model.trainable_variables, average)
        self.step.restart_average()


def _average_losses(losses):
    """Averages the rows of scalars by name, over the rows that have the name."""
    names = {name for row in losses for name in row}
    return {
        name: float(
            np.mean([keras.ops.convert_to_numpy(row[name]) for row in losses if name in row])
        )
        for name in sorted(names)
    }


def _wait_for(row):
    for value in row.values():
        keras.ops.convert_to_numpy(value)


def decay_cosine(progress, minimum=0.05):
    """Cosine decay from 1 to `minimum` as the progress grows from 0 to 1."""
    return minimum + (1 - minimum) * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))


def warm_up(progress, share=0.04):
    """Linear warmup to 1 within the first `share` of the progress."""
    return min(1.0, (progress + 0.1 * share) / share)


def select_epoch_rows(rows, batch_size, seed, step):
    """Selects the rows of a step: every epoch has each row once, in a different order.

    The last incomplete batch of an epoch is dropped.
    """
    size = min(batch_size, len(rows))
    epoch, place = divmod(step, len(rows) // size)
    order = np.random.default_rng([seed, epoch]).permutation(rows)
    return order[place * size : (place + 1) * size]
