"""Draws correct and wrong answers of a question answerer, for its model card.

    python zoo/draw_answers.py DATA --split test --json zoo/vqa_easy/results.json \
        --out zoo/vqa_easy/answers.png

DATA is a folder of questions that `read_question_folder` reads, and the split contains the
questions of the results file, which `mmfusion evaluate vqa` or
`score_question_answering_recipe` wrote. Only publish the figure if the images may be published.
"""

import argparse
import collections
import json
import textwrap

import numpy as np
from matplotlib.figure import Figure

from keras_mmfusion.datasets import read_question_folder
from keras_mmfusion.datasets.images.read_image import read_image

COLUMNS = 4


def select_samples(samples, count, seed=0):
    """Selects questions at random, about different images.

    Args:
        samples: list of dicts, the `"samples"` of a results file.
        count: int. The number of questions with an accuracy of 1, and of those with 0.
        seed: int.

    Returns:
        A tuple of two lists of samples: correct and wrong answers. They are shorter than `count`
        if there are fewer.
    """
    order = np.random.default_rng(seed).permutation(len(samples))
    selected, images = ([], []), set()
    # Wrong answers first, as there may be few.
    for group, accuracy in ((selected[1], 0.0), (selected[0], 1.0)):
        for sample in (samples[row] for row in order):
            is_new = sample["image"] not in images
            if sample["accuracy"] == accuracy and is_new and len(group) < count:
                group.append(sample)
                images.add(sample["image"])
    return selected


def draw_answers(data, samples, out, count=8):
    """Writes a figure of images with question, answer and the most frequent human answer.

    Correct answers are above wrong ones.

    Args:
        data: `QuestionAnswers` that contain the questions of the samples.
        samples: see `select_samples`.
        out: path of the figure.
        count: int. The number of correct and of wrong answers.

    Raises:
        ValueError: if a question of the samples is not in the data.
    """
    rows_by_id = {question_id: row for row, question_id in enumerate(data.question_ids)}
    groups = [group for group in select_samples(samples, count) if group]
    columns = min(COLUMNS, max(map(len, groups)))
    heights = [-(-len(group) // columns) for group in groups]
    figure = Figure(figsize=(3.2 * columns, 4.5 * sum(heights)), layout="constrained")
    axes = figure.subplots(sum(heights), columns, squeeze=False)
    for each in axes.flat:  # The layout ignores titles and labels if the axes are off.
        each.set(xticks=[], yticks=[], frame_on=False)
    for group, start in zip(groups, (0, heights[0]), strict=False):
        for number, sample in enumerate(group):
            row = rows_by_id.get(sample["question_id"])
            if row is None:
                raise ValueError(f"`data` has no question with the id {sample['question_id']!r}.")
            cell = axes[start + number // columns, number % columns]
            _draw_answer(cell, data, row, sample)
    figure.savefig(out, dpi=70)


def _draw_answer(axes, data, row, sample):
    [(human_answer, _)] = collections.Counter(data.answers[row]).most_common(1)
    is_correct = sample["accuracy"] == 1.0
    lines = [f"model: {sample['answer']}", f"human: {human_answer}"]
    axes.imshow(read_image(data.images[row]))
    axes.set_title(textwrap.fill(data.questions[row], 32), fontsize=11)
    axes.set_xlabel(
        "\n".join(textwrap.shorten(line, 34, placeholder=" ...") for line in lines),
        color="darkgreen" if is_correct else "darkred",
        fontsize=11,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", help="folder of questions and images")
    parser.add_argument("--split", required=True)
    parser.add_argument("--json", required=True, help="results file with the answers")
    parser.add_argument("--out", required=True, help="figure to write")
    parser.add_argument("--count", type=int, default=8, help="correct and wrong answers each")
    arguments = parser.parse_args()
    with open(arguments.json, encoding="utf-8") as file:
        samples = json.load(file)["samples"]
    data = read_question_folder(arguments.data, arguments.split, skip_missing_images=True)
    draw_answers(data, samples, arguments.out, arguments.count)


if __name__ == "__main__":
    main()
