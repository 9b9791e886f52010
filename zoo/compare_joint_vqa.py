"""Compares one question answerer for all data sets with the separate presets.

    python zoo/compare_joint_vqa.py data/vqa_v2 split/daquar split/vqa_rad --captions data \
        --json benchmarks/results/vqa_joint.json

Trains the recipe of vqa_daquar on the training questions of all folders and on the words of
captions. Scores it on the dev split of each folder, next to a model that does not see images, for
several seeds. The scores of the separate models are those in `zoo/<preset>/results.json`.
"""

import argparse
import dataclasses
import json
from pathlib import Path

import numpy as np
from caption_words import read_caption_words
from train_vqa import (
    RECIPES,
    create_image_encoder,
    create_model,
    load_tokens,
    make_word_vectors,
    read_splits,
    save_tokens,
)
from vqa_preset import join_questions

from keras_mmfusion._provenance import describe_machine, describe_versions
from keras_mmfusion.files.atomic_files import write_json
from keras_mmfusion.models import WordTokenizer
from keras_mmfusion.models.question_answering import train_question_answering
from keras_mmfusion.models.question_answering.recipe_scores import score_model

ZOO = Path(__file__).resolve().parent
PRESETS = ("vqa_coco", "vqa_daquar", "vqa_rad")  # In the order of the folders.


def repeat_image(data):
    """Returns the questions with the same image, for a model that does not see images."""
    return dataclasses.replace(data, images=[data.images[0]] * len(data))


def read_separate_scores(preset):
    """Returns the mean accuracies of the recipe of a preset."""
    metrics = json.loads((ZOO / preset / "results.json").read_text(encoding="utf-8"))["metrics"]
    names = {"accuracy": "accuracy_mean", "question_only": "accuracy_question_only"}
    return {name: metrics[metric] for name, metric in names.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("coco", type=Path, help="folder of VQA v2")
    parser.add_argument("daquar", type=Path, help="folder that split_vqa.py wrote")
    parser.add_argument("rad", type=Path, help="folder that split_vqa.py wrote")
    parser.add_argument("--captions", type=Path, required=True)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--tokens", type=Path, help="file of encoded images, for further runs")
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds")
    arguments = parser.parse_args()
    folders = (arguments.coco, arguments.daquar, arguments.rad)
    trains, devs = zip(*map(read_splits, folders), strict=True)
    answers = list(
        dict.fromkeys(
            answer
            for preset, train in zip(PRESETS, trains, strict=True)
            for answer in train.list_frequent_answers(RECIPES[preset].num_answers)
        )
    )
    words = read_caption_words(arguments.captions, answers)
    data = join_questions(*trains, words)
    recipe = RECIPES["vqa_daquar"]
    image_encoder, tokens = create_image_encoder(), load_tokens(arguments.tokens)
    tokenizer = WordTokenizer.from_captions(data.questions, recipe.min_word_count)
    vectors = make_word_vectors(tokenizer.get_vocabulary(), recipe.dim)
    scores = {preset: {"accuracy": [], "question_only": []} for preset in PRESETS}
    for seed in range(arguments.seeds):
        seeded = dataclasses.replace(recipe, seed=seed)
        for name, change in (("accuracy", lambda data: data), ("question_only", repeat_image)):
            model = create_model(seeded, tokenizer, vectors, answers, image_encoder)
            train_question_answering(seeded, change(data), model, image_tokens=tokens)
            for preset, dev in zip(PRESETS, devs, strict=True):
                score = score_model(model, change(dev), seeded, 128, tokens)
                scores[preset][name].append(score)
            print(seed, name, {preset: scores[preset][name][-1] for preset in PRESETS}, flush=True)
    save_tokens(arguments.tokens, tokens)
    rows = [
        {
            "preset": preset,
            "questions": len(dev),
            "joint": {name: float(np.mean(each)) for name, each in scores[preset].items()},
            "joint_seeds": scores[preset],
            "separate": read_separate_scores(preset),
        }
        for preset, dev in zip(PRESETS, devs, strict=True)
    ]
    result = {
        "rows": rows,
        "recipe": dataclasses.asdict(recipe),
        "training": {"questions": len(data) - len(words), "images_with_captions": len(words)},
        "answers": len(answers),
        "versions": describe_versions(),
        "machine": describe_machine(),
    }
    write_json(result, arguments.json)


if __name__ == "__main__":
    main()
