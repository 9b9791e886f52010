"""Draws clips with the answers of the models of `benchmarks/video_order.py`.

    python benchmarks/draw_video_order.py MODELS

MODELS is the folder that `video_order.py --save` writes. Writes `docs/images/video_order.png`: the
first clip of each kind of question in the test. Needs matplotlib and scikit-image.
"""

import argparse
import pathlib

import matplotlib
import matplotlib.pyplot as plt
from video_order import MODELS, SIZE, TEST_SEED, load_photos, mirror, select_frames

from keras_mmfusion.datasets import make_moving_crops
from keras_mmfusion.datasets.videos.moving_crops import KINDS
from keras_mmfusion.models import load_model

IMAGE = pathlib.Path(__file__).resolve().parents[1] / "docs" / "images" / "video_order.png"
LABELS = {
    "video": "all frames",
    "shuffled_frames": "frames in random order",
    "single_frame": "middle frame",
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("models", type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path, default=IMAGE)
    arguments = parser.parse_args()
    clips = make_moving_crops(mirror(load_photos()), len(KINDS), TEST_SEED, size=SIZE)
    answers = {}
    for name in MODELS:
        model = load_model(arguments.models / f"{name}.keras")
        videos = select_frames(clips.videos, name, TEST_SEED)
        answers[name] = model.answer(videos, clips.questions)
    matplotlib.use("agg")
    figure = draw(clips, answers)
    figure.savefig(arguments.out, dpi=100, metadata={"Software": None})


def draw(clips, answers):
    """Draws one row of frames for each clip, with its question and the answers of the models."""
    rows, columns = clips.videos.shape[:2]
    figure, axes = plt.subplots(
        rows, columns + 1, figsize=(10, 6.2), width_ratios=[3.6] + [1] * columns
    )
    for row, (video, question) in enumerate(zip(clips.videos, clips.questions, strict=True)):
        text, *frames = axes[row]
        for index, (frame, pixels) in enumerate(zip(frames, video, strict=True)):
            frame.imshow(pixels)
            if row == 0:
                frame.set_title(f"{index}", fontsize=8)
        text.text(0, 0.95, f"{question}?", va="top", weight="bold", fontsize=9)
        for line, (name, label) in enumerate(LABELS.items()):
            answer = answers[name][row]
            color = "tab:green" if answer == clips.answers[row] else "tab:red"
            height = 0.65 - 0.25 * line
            text.text(0, height, f"{label}:", va="top", fontsize=8, color="dimgray")
            text.text(0.66, height, answer, va="top", fontsize=8, color=color)
    for each in axes.flat:
        each.axis("off")
    figure.subplots_adjust(0.01, 0.01, 0.99, 0.95, wspace=0.06, hspace=0.12)
    return figure


if __name__ == "__main__":
    main()
