"""Trains the preset `vqa_easy` on easy-VQA, and scores its recipe.

    python zoo/train_vqa_easy.py easy_vqa/data \\
        --out keras_mmfusion/zoo/presets/vqa_easy --json zoo/vqa_easy/results.json

The JSON file has the scores on the test split of the preset, which is the model of the first seed
with weights in float16, and of the recipe for several seeds next to models that do not see the
image or the question; see `score_question_answering_recipe`.
"""

import argparse
from pathlib import Path

import keras
from keras_hub.layers import ImageConverter
from vqa_preset import save_preset, write_results

from keras_mmfusion.datasets import read_easy_vqa
from keras_mmfusion.models import WordTokenizer
from keras_mmfusion.models.question_answering import (
    QuestionAnsweringRecipe,
    create_question_answerer,
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


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", help="the folder easy_vqa/data of the package easy-vqa")
    parser.add_argument("--out", type=Path, required=True, help="preset folder to write")
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=2, help="number of seeds")
    arguments = parser.parse_args()
    train, test = (read_easy_vqa(arguments.data, split) for split in ("train", "test"))
    model, scores = score_question_answering_recipe(
        RECIPE, train, test, create_model, range(arguments.seeds)
    )
    print(scores.metrics, scores.protocol["runs"])
    preset = save_preset(model, arguments.out)
    write_results(arguments.json, preset, scores, test, data="easy-VQA", split="test")


if __name__ == "__main__":
    main()
