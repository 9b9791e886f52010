"""The loop of a training that fits a given time, keeps the best weights, and survives a kill."""

import math
import os
import time

import keras
import numpy as np
from clock import Clock
from outputs import (
    OUTPUT_BYTES,
    assign_arrays,
    float16_arrays,
    read_output,
    with_prefix,
    without_prefix,
    write_output,
)

# Left of the budget for the last scores: this share, but no more than these seconds.
LAST_SHARE, LAST_SECONDS = 0.15, 60.0


class Training:
    """Trains in stages, scores the averaged weights now and then, and keeps the best.

    After each score, the output folder has the best weights, the averaged ones where both fit, and
    how far the training is. Another run on that folder goes on from the averaged weights, or else
    from the best; what the optimizer remembers is not kept, for its size.

    Args:
        name: string. Names the files.
        step: `TrainingStep`.
        out: string or path. The output folder.
        budget_seconds: float. When to be done, from now.
        description: dict, what the record is to say of the model.
        score: function without arguments that returns the scores, a dict of floats.
        monitor: name of the score that chooses the best weights.
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
        """Trains until all stages are through or time is up.

        Args:
            stages: list of `(end, train)`: the progress at which a stage ends, and a function
                of the number of the step and of the progress within the stage, which takes a step
                and returns a dict of scalars for the log.
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
            else:  # A stage's first step compiles.
                compiled.add(number)
                _wait_for(losses[-1])
                clock.skip()
            before, self.record["progress"] = self.record["progress"], clock.progress
            if math.floor(before * self.scorings) < math.floor(clock.progress * self.scorings):
                self._log(losses, len(losses) / (time.monotonic() - begin))
                losses, begin = [], time.monotonic()

    def finish(self, final):
        """Gives the model the best weights, as float16 keeps them, and writes all, with scores.

        Args:
            final: function without arguments that returns what to add to the record.
        """
        assign_arrays(self.model.trainable_variables, self.best)
        self.record.update(final(), done=True)
        write_output(self.out, self.name, self.record, float16_arrays(self.model.weights))

    def seconds_left(self):
        return self.budget_seconds - (time.monotonic() - self.begin)

    def _log(self, losses, steps_a_second):
        with self.step.averaged_weights():
            scores = self.score()
            average = float16_arrays(self.model.trainable_variables)
        arrays = {}
        if self.best is None or scores[self.monitor] > self.record["best_score"]:
            self.best, self.record["best_score"] = average, scores[self.monitor]
        else:
            arrays = with_prefix("average.", average)
        row = {
            "progress": round(self.record["progress"], 4),
            "step": self.record["steps"],
            "steps_a_second": round(steps_a_second, 3),
            **{k: round(v, 4) for k, v in {**_means(losses), **scores}.items()},
        }
        print(" - ".join(f"{key} {value}" for key, value in row.items()), flush=True)
        self.record["log"].append(row)
        arrays.update(with_prefix("best.", self.best))
        if sum(values.nbytes for values in arrays.values()) > OUTPUT_BYTES:
            arrays = with_prefix("best.", self.best)
        write_output(self.out, self.name, self.record, arrays)

    def _restore(self):
        found = read_output(self.out, self.name)
        if found is None:
            return
        record, arrays = found
        self.record.update(record)
        self.best = without_prefix("best.", arrays)
        average = without_prefix("average.", arrays) or self.best
        assign_arrays(self.model.trainable_variables, average)
        self.step.restart_average()


def _means(losses):
    """The means of the rows of scalars, by name; of those that have the name."""
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


def cosine(progress, least=0.05):
    """Falls from 1 to `least` as the progress goes from 0 to 1."""
    return least + (1 - least) * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))


def warmed_up(progress, share=0.04):
    """Rises from near 0 to 1 within the first `share` of the progress."""
    return min(1.0, (progress + 0.1 * share) / share)


def epoch_batches(rows, batch_size, seed, step):
    """Which rows a step trains on: each epoch has every row once, in an order of its own.

    What does not fill a batch is left out of the epoch.
    """
    size = min(batch_size, len(rows))
    epoch, place = divmod(step, len(rows) // size)
    order = np.random.default_rng([seed, epoch]).permutation(rows)
    return order[place * size : (place + 1) * size]
