"""Questions about order and motion: a model of videos, next to ones without the order of frames.

    python benchmarks/video_order.py --json benchmarks/results/video_order.json --save MODELS

Three `VideoQuestionAnswerer`s that differ only in the frames that they receive, in training and in
the test: all frames in order; the middle frame alone; all frames in random order. Each batch of
training has new clips (`make_moving_crops`) with crops of scikit-image's photos, which this script
needs. The test has clips of other seeds with crops of the mirrored photos, so that no crop of the
test occurs in training. `draw_video_order.py` draws clips and answers of the models in `--save`.
"""

import argparse
import json
import os
import pathlib
import time

import keras
import numpy as np
from keras_hub.layers import ImageConverter
from PIL import Image
from write_results import write_results

from keras_mmfusion import FusionBlock
from keras_mmfusion._provenance import describe_machine, describe_versions
from keras_mmfusion.datasets import make_moving_crops
from keras_mmfusion.datasets.videos.moving_crops import KINDS, NUM_FRAMES, ORDER_KINDS
from keras_mmfusion.encoders import TokenEncoder, VideoEncoder
from keras_mmfusion.layers import TemporalTransformer
from keras_mmfusion.models import (
    ImageQuestionPreprocessor,
    VideoQuestionAnswerer,
    WordTokenizer,
)

PHOTOS = {
    "astronaut": "astronaut.png",
    "cat": "chelsea.png",
    "coffee": "coffee.png",
    "coins": "coins.png",
    "retina": "retina.jpg",
    "rocket": "rocket.jpg",
}
PHOTO_SIZE = 96  # The shorter side of the photos, from which crops are cut.
SIZE, DIM, BATCH = 24, 64, 96
MODELS = ("video", "shuffled_frames", "single_frame")
FRAMES = {"video": NUM_FRAMES, "single_frame": 1, "shuffled_frames": NUM_FRAMES}
TEST_SEED = 10**6  # Larger than the seeds of all training batches of a run.


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json")
    parser.add_argument("--save", type=pathlib.Path, help="folder for the models of the first seed")
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--test", type=int, default=3000, help="number of clips of the test")
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[0, 1], help="all but the first: all frames only"
    )
    parser.add_argument("--models", nargs="+", default=MODELS, choices=MODELS)
    arguments = parser.parse_args()
    photos = load_photos()
    results = {
        "machine": describe_machine(),
        "versions": describe_versions(),
        "photos": PHOTOS,
        "clips": {
            "frames": NUM_FRAMES,
            "size": SIZE,
            "train": arguments.steps * BATCH,
            "test": arguments.test,
        },
        "training": {"steps": arguments.steps, "batch_size": BATCH, "seeds": arguments.seeds},
        "best_without_order": describe_limits(len(photos)),
        "models": {name: [] for name in arguments.models},
    }
    for seed in arguments.seeds:
        for name in arguments.models:
            if seed != arguments.seeds[0] and name != "video":
                continue
            model = make_model(name, photos, seed)
            training = train(model, name, photos, arguments.steps, seed)
            scores = evaluate(model, name, mirror(photos), arguments.test)
            results["models"][name].append({"seed": seed, **training, "accuracy": scores})
            print(json.dumps({name: results["models"][name][-1]}, indent=2), flush=True)
            if arguments.save and seed == arguments.seeds[0]:
                arguments.save.mkdir(parents=True, exist_ok=True)
                model.save(arguments.save / f"{name}.keras")
            if arguments.json:
                write_results(arguments.json, results)


def load_photos():
    """Returns the photos, uint8, with `PHOTO_SIZE` pixels on the shorter side."""
    import skimage.data

    folder, photos = os.path.dirname(skimage.data.__file__), {}
    for name, file in PHOTOS.items():
        with Image.open(os.path.join(folder, file)) as photo:
            scale = PHOTO_SIZE / min(photo.size)
            size = [round(scale * length) for length in photo.size]
            photos[name] = np.asarray(photo.convert("RGB").resize(size, Image.Resampling.LANCZOS))
    return photos


def mirror(photos):
    return {name: photo[:, ::-1] for name, photo in photos.items()}


def describe_limits(num_photos):
    """Returns the best expected accuracy for each kind on one frame, and on frames without order.

    The middle frame shows that the photo of the background, and the object of the question, are not
    the answer.
    """
    choices = {"first": num_photos - 1, "before": num_photos - 2, "after": num_photos - 2}
    single = {kind: 1 / choices.get(kind, 2) for kind in ORDER_KINDS}
    limits = {"single_frame": single, "shuffled_frames": dict.fromkeys(ORDER_KINDS, 0.5)}
    for each in limits.values():
        each["order"] = sum(each.values()) / len(each)
    return limits


class Clips(keras.utils.PyDataset):
    """Batches of new clips, which depend only on the seed and the index."""

    def __init__(self, photos, name, num_batches, seed):
        super().__init__()
        self.photos, self.name, self.count, self.seed = photos, name, num_batches, seed

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        seed = self.seed * self.count + index
        clips = make_moving_crops(self.photos, BATCH, seed, size=SIZE)
        videos = select_frames(clips.videos, self.name, seed)
        return {"images": videos, "questions": np.array(clips.questions)}, np.array(clips.answers)


def select_frames(videos, name, seed):
    """Selects the frames that a model receives."""
    if name == "single_frame":
        return videos[:, NUM_FRAMES // 2 : NUM_FRAMES // 2 + 1]
    if name == "shuffled_frames":
        orders = np.random.default_rng([seed, 1]).permuted(
            np.tile(np.arange(NUM_FRAMES), (len(videos), 1)), axis=1
        )
        return np.take_along_axis(videos, orders[:, :, None, None, None], axis=1)
    return videos


def make_model(name, photos, seed):
    keras.utils.set_random_seed(seed)
    examples = make_moving_crops(photos, 300, TEST_SEED, size=SIZE)
    tokenizer = WordTokenizer.from_captions(examples.questions, min_count=1)
    images = keras.Input((SIZE, SIZE, 3))
    x = images
    for channels in (16, 32, 64):
        x = keras.layers.Conv2D(channels, 3, strides=2, padding="same", activation="relu")(x)
    # A vector of all positions, because the answers depend on where an object is.
    x = keras.layers.Dense(DIM)(keras.layers.Flatten()(x))
    return VideoQuestionAnswerer(
        VideoEncoder(keras.Model(images, x), TemporalTransformer(num_layers=1), FRAMES[name]),
        TokenEncoder(DIM, num_layers=1, vocabulary_size=tokenizer.vocabulary_size()),
        answers=sorted({*examples.answers}),
        fusion=FusionBlock(
            ("image", "text"), strategy="hybrid", combine="concat", dim=DIM, num_stages=1
        ),
        preprocessor=ImageQuestionPreprocessor(
            tokenizer,
            ImageConverter(image_size=(SIZE, SIZE), scale=1 / 128, offset=-127 / 128),
            question_length=10,
        ),
        activation="softmax",
    )


def train(model, name, photos, steps, seed):
    """Trains on new clips; returns the time and the progress."""
    warmup = min(200, steps // 4)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, steps - warmup, warmup_target=1e-3, warmup_steps=warmup
    )
    model.compile(keras.optimizers.AdamW(schedule, weight_decay=0.01, clipnorm=1.0))
    epochs, start, cpu = 12, time.monotonic(), time.process_time()
    accuracy = []
    for epoch in range(epochs):
        clips = Clips(photos, name, steps // epochs, seed * epochs + epoch)
        history = model.fit(clips, shuffle=False, verbose=0).history
        accuracy.append(round(history["accuracy"][0], 4))
        seconds, cpu_seconds = time.monotonic() - start, time.process_time() - cpu
        print(
            name,
            epoch,
            round(history["loss"][0], 3),
            accuracy[-1],
            round(seconds),
            round(cpu_seconds),
            flush=True,
        )
    return {
        "seconds": round(seconds),
        "cpu_seconds": round(cpu_seconds),
        "parameters": model.count_params(),
        "training_accuracy": accuracy,
    }


def evaluate(model, name, photos, count):
    """Returns the accuracy for each kind of question, for those about order, and for all."""
    clips = make_moving_crops(photos, count, TEST_SEED, size=SIZE)
    answers = model.answer(
        select_frames(clips.videos, name, TEST_SEED), clips.questions, batch_size=128
    )
    correct = np.array([a == b for a, b in zip(answers, clips.answers, strict=True)])
    kinds = np.array(clips.kinds)
    scores = {kind: correct[kinds == kind].mean() for kind in KINDS}
    scores["order"] = correct[np.isin(kinds, ORDER_KINDS)].mean()
    scores["all"] = correct.mean()
    return {name: round(float(value), 4) for name, value in scores.items()}


if __name__ == "__main__":
    main()
