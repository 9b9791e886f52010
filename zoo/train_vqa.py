"""Trains the presets that answer questions about photos and radiology images.

    python zoo/train_vqa.py vqa_rad split/vqa_rad --out zoo/vqa_rad --json zoo/vqa_rad/results.json

The folder of questions has the splits `train` and `dev`; see `zoo/split_vqa.py`. With `--captions`,
the words of captions are answers to a further question; see `zoo/caption_words.py`. The JSON file
has the scores of the recipe on dev for several seeds, next to models that do not see image or
question; see `score_question_answering_recipe`. The preset is the model of the first seed, with
weights in float16. The recipes were selected on parts of the training images.
"""

import argparse
import dataclasses
from pathlib import Path

import keras
import numpy as np
from caption_words import read_caption_words
from keras_hub.layers import ImageConverter
from vqa_preset import join_questions, save_preset, write_results

from keras_mmfusion import zoo
from keras_mmfusion.datasets.questions.question_folder import read_question_folder
from keras_mmfusion.files.atomic_files import replace_file
from keras_mmfusion.layers.fusion_block import FusionBlock
from keras_mmfusion.models import ImageQuestionPreprocessor, WordTokenizer
from keras_mmfusion.models.question_answering import (
    QuestionAnswerer,
    QuestionAnsweringRecipe,
    score_question_answering_recipe,
)

ENCODER = "efficientnet_lite0_imagenet"
DEFAULTS = {
    "dim": 128,
    "weight_decay": 0.05,
    "freeze_image_encoder": True,
}
RECIPES = {
    "vqa_coco": QuestionAnsweringRecipe(
        combine="concat",
        num_answers=400,
        dropout=0.5,
        image_dropout=0.5,
        epochs=10,
        batch_size=64,
        learning_rate=2e-3,
        **DEFAULTS,
    ),
    "vqa_daquar": QuestionAnsweringRecipe(
        combine="concat",
        num_answers=500,
        min_word_count=1,
        dropout=0.5,
        image_dropout=0.5,
        epochs=15,
        batch_size=128,
        learning_rate=3e-3,
        **DEFAULTS,
    ),
    "vqa_rad": QuestionAnsweringRecipe(
        combine="mlb",
        num_answers=200,
        dropout=0.3,
        image_dropout=0.5,
        epochs=15,
        batch_size=64,
        learning_rate=1e-3,
        **DEFAULTS,
    ),
}


def create_image_encoder():
    """Creates the frozen image encoder: one token, the mean of the feature map."""
    encoder = zoo.image_encoder(ENCODER, trainable=False)
    pooling = keras.layers.GlobalAveragePooling1D(keepdims=True, name="pooling")
    return keras.Model(encoder.input, pooling(encoder.output), name="image_encoder")


def make_word_vectors(words, dim):
    """Encodes words one by one with MiniLM.

    Returns:
        Float32 array `(words, dim)`: the means of the tokens of each word, reduced to their
        principal components, with a standard deviation of 1.
    """
    embedder = zoo.embedder()
    encoder, tokenizer = embedder.encoders["text"], embedder.preprocessor.tokenizer
    rows = [[tokenizer.cls_token_id, *ids[:8], tokenizer.sep_token_id] for ids in tokenizer(words)]
    ids = np.zeros((len(rows), max(map(len, rows))), "int32")
    for row, each in enumerate(rows):
        ids[row, : len(each)] = each
    inputs = {"token_ids": ids, "padding_mask": (ids > 0).astype("int32")}
    tokens = encoder.predict(inputs, batch_size=256, verbose=0)
    vectors = np.stack(
        [token[row > 0].mean(axis=0) for token, row in zip(tokens, ids, strict=True)]
    )
    vectors -= vectors.mean(axis=0)
    _, _, axes = np.linalg.svd(vectors, full_matrices=False)
    vectors = vectors @ axes[:dim].T
    return vectors / vectors.std()


def create_model(recipe, tokenizer, word_vectors, answers, image_encoder):
    """Creates an untrained question answerer of word embeddings and image vectors."""
    keras.utils.set_random_seed(recipe.seed)
    size = image_encoder.input_shape[1:3]
    converter = ImageConverter(image_size=size, scale=1 / 128, offset=-127 / 128)
    text_encoder = keras.layers.Embedding(*word_vectors.shape, name="text_encoder")
    text_encoder.build()
    text_encoder.set_weights([word_vectors])
    return QuestionAnswerer(
        image_encoder,
        text_encoder,
        answers,
        FusionBlock(("image", "text"), combine=recipe.combine, dim=recipe.dim, name="fusion"),
        ImageQuestionPreprocessor(tokenizer, converter),
        activation="softmax",
        dropout=recipe.dropout,
        image_dropout=recipe.image_dropout,
    )


def read_splits(folder):
    """Reads train and dev.

    If some images of dev are also in train, the questions of dev have a type `"image"`, `"seen"` or
    `"new"`.
    """
    train, dev = (read_question_folder(folder, split) for split in ("train", "dev"))
    seen = set(train.images)
    if seen.isdisjoint(dev.images):
        return train, dev
    kinds = ["seen" if image in seen else "new" for image in dev.images]
    types = [{**each, "image": kind} for each, kind in zip(dev.types, kinds, strict=True)]
    return train, dataclasses.replace(dev, types=types)


def load_tokens(path):
    """Reads encoded images, a dict of path -> tokens, if the file exists."""
    if path is None or not path.is_file():
        return {}
    with np.load(path) as file:
        return dict(zip(file["paths"].tolist(), file["tokens"], strict=True))


def save_tokens(path, image_tokens):
    if path is not None:
        with replace_file(path) as scratch, scratch.open("wb") as file:
            tokens = np.stack(list(image_tokens.values()))
            np.savez(file, paths=np.array(list(image_tokens)), tokens=tokens)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("name", choices=sorted(RECIPES))
    parser.add_argument("data", type=Path, help="folder of questions")
    parser.add_argument("--out", type=Path, required=True, help="preset folder to write")
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--captions", type=Path, help="folder of coco_captions/ and flickr8k/")
    parser.add_argument("--tokens", type=Path, help="file of encoded images, for further runs")
    parser.add_argument("--wordnet", help="folder of WordNet's files, for WUPS")
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds")
    arguments = parser.parse_args()
    recipe = RECIPES[arguments.name]
    train, dev = read_splits(arguments.data)
    answers = train.list_frequent_answers(recipe.num_answers)
    training_data = {"questions": len(train), "images": len(set(train.images))}
    if arguments.captions is not None:
        words = read_caption_words(arguments.captions, answers)
        training_data["images_with_captions"] = len(words)
        train = join_questions(train, words)
    image_encoder, tokens = create_image_encoder(), load_tokens(arguments.tokens)
    tokenizer = WordTokenizer.from_captions(train.questions, recipe.min_word_count)
    word_vectors = make_word_vectors(tokenizer.get_vocabulary(), recipe.dim)
    model, scores = score_question_answering_recipe(
        recipe,
        train,
        dev,
        lambda recipe, _: create_model(recipe, tokenizer, word_vectors, answers, image_encoder),
        range(arguments.seeds),
        image_tokens=tokens,
    )
    save_tokens(arguments.tokens, tokens)
    print(scores.metrics, scores.protocol["runs"])
    write_results(
        arguments.json,
        save_preset(model, arguments.out),
        scores,
        dev,
        arguments.wordnet,
        data=arguments.data.resolve().name,
        split="dev",
        training_data=training_data,
    )


if __name__ == "__main__":
    main()
