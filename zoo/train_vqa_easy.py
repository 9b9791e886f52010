"""Trains the preset `vqa_easy` on easy-VQA, and scores its recipe.

    python zoo/train_vqa_easy.py easy_vqa/data \\
        --out keras_mmfusion/zoo/presets/vqa_easy --json zoo/vqa_easy/results.json

The JSON file has the scores on the test split of the preset, which is the model of the first seed
with weights in float16, and of the recipe for several seeds next to models that do not see the
image or the question; see `score_question_answering_recipe`.
"""

import argparse
import dataclasses
from pathlib import Path

import keras
from keras_hub.layers import ImageConverter

from keras_mmfusion._provenance import describe_machine, describe_versions
from keras_mmfusion.datasets import read_easy_vqa
from keras_mmfusion.files.atomic_files import write_json
from keras_mmfusion.models import WordTokenizer
from keras_mmfusion.models.presets.half_precision_weights import store_as_float16
from keras_mmfusion.models.question_answering import (
    QuestionAnswerer,
    QuestionAnsweringRecipe,
    create_question_answerer,
    evaluate_question_answering,
    score_question_answering_recipe,
)

RECIPE = QuestionAnsweringRecipe(
    combine="mlb",
    dim=64,
    num_answers=13,
    min_word_count=1,
    dropout=0.0,
    epochs=8,
    batch_size=128,
    learning_rate=3e-3,
)
IMAGE_SIZE = (64, 64)
QUESTION_LENGTH = 16
WORD_DIM = 64


def create_image_encoder():
    """Creates a convolutional network that maps images to vectors.

    The maximum over all positions does not depend on where the shape is.
    """
    images = keras.Input((*IMAGE_SIZE, 3), name="images")
    x = keras.layers.RandomFlip("horizontal", seed=0, name="flip")(images)  # Only in training.
    for index, (filters, size, stride) in enumerate(((32, 6, 4), (64, 3, 2), (96, 3, 2))):
        x = keras.layers.Conv2D(
            filters,
            size,
            stride,
            "same",
            activation="relu",
            kernel_initializer="he_normal",
            name=f"convolution_{index}",
        )(x)
    x = keras.layers.GlobalMaxPooling2D(name="maximum")(x)
    x = keras.layers.Dense(64, activation="relu", name="dense")(x)
    return keras.Model(images, x, name="image_encoder")


def create_model(recipe, data):
    """Creates an untrained question answerer for images of the size of easy-VQA's.

    Words are embedded without their order, on which no answer depends.
    """
    keras.utils.set_random_seed(recipe.seed)
    tokenizer = WordTokenizer.from_captions(data.questions, recipe.min_word_count)
    model = create_question_answerer(
        recipe,
        data,
        create_image_encoder(),
        # Backgrounds, of 230 to 255, become small values.
        ImageConverter(image_size=IMAGE_SIZE, scale=1 / 64, offset=-242.5 / 64),
        keras.layers.Embedding(tokenizer.vocabulary_size(), WORD_DIM, name="text_encoder"),
        tokenizer,
    )
    model.preprocessor.question_length = QUESTION_LENGTH
    return model


def save_preset(model, folder):
    """Saves a model as a preset with weights in float16, and loads it."""
    model.save_to_preset(folder)
    for path in Path(folder).glob("*.weights.h5"):
        store_as_float16(path)
    return QuestionAnswerer.from_preset(folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", help="the folder easy_vqa/data of the package easy-vqa")
    parser.add_argument("--out", type=Path, required=True, help="preset folder to write")
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=2, help="number of seeds")
    arguments = parser.parse_args()
    train, test = (read_easy_vqa(arguments.data, split) for split in ("train", "test"))
    model, recipe_result = score_question_answering_recipe(
        RECIPE, train, test, create_model, range(arguments.seeds)
    )
    print(recipe_result.metrics, recipe_result.protocol["runs"])
    result = evaluate_question_answering(save_preset(model, arguments.out), test)
    protocol = ("recipe", "training", "runs")
    result = dataclasses.replace(
        result, metrics={**recipe_result.metrics, **result.metrics}, table=recipe_result.table
    ).add_protocol(
        data="easy-VQA",
        split="test",
        versions=describe_versions(),
        machine=describe_machine(),
        **{name: recipe_result.protocol[name] for name in protocol},
    )
    write_json(result.to_json(), arguments.json)


if __name__ == "__main__":
    main()
