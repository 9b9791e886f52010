"""Training of question answerers on image files, questions and answers."""

import dataclasses

import keras

from keras_mmfusion.encoders.token_encoder import TokenEncoder
from keras_mmfusion.layers.fusion_block import FusionBlock
from keras_mmfusion.models.captioning.word_tokenizer import WordTokenizer
from keras_mmfusion.models.compiled_function import compile_function
from keras_mmfusion.models.presets.slow_float16 import warn_of_slow_float16
from keras_mmfusion.models.question_answering.answer_classifier import AnswerClassifier
from keras_mmfusion.models.question_answering.answer_targets import warn_of_unknown_answers
from keras_mmfusion.models.question_answering.image_question_preprocessor import (
    ImageQuestionPreprocessor,
)
from keras_mmfusion.models.question_answering.question_answerer import (
    MODALITIES,
    QuestionAnswerer,
)
from keras_mmfusion.models.question_answering.question_sequence import QuestionSequence
from keras_mmfusion.models.runs.setting_checks import (
    check_fractions,
    check_integers,
    check_non_negatives,
    check_positives,
)


@dataclasses.dataclass(frozen=True)
class QuestionAnsweringRecipe:
    """Settings of a question answerer and of its training.

    Args:
        combine: string. The rule that fuses image and question; see `FusionBlock`.
        dim: int. The size of the fused vector; a multiple of 4.
        num_answers: int. The number of the most frequent training answers that the model knows.
        min_word_count: int. Words of the questions with fewer occurrences are unknown.
        num_layers: int. Number of Transformer blocks over the words of a question.
        dropout: float in [0, 1), of the classifier and the words.
        image_dropout: float in [0, 1), of the image tokens; see `QuestionAnswerer`.
        epochs, batch_size: ints.
        learning_rate: float. Peak learning rate of AdamW, with warmup and cosine decay.
        weight_decay: float.
        freeze_image_encoder: bool. Whether the image encoder is not trained. Each image is then
            encoded only once, before the training.
        seed: int. Seed of the weights, the order and the dropout.

    Raises:
        ValueError: if a number is out of range.

    Example:

    >>> from keras_mmfusion.models.question_answering import QuestionAnsweringRecipe
    >>> QuestionAnsweringRecipe(epochs=5).combine
    'mfb'
    """

    combine: str = "mfb"
    dim: int = 256
    num_answers: int = 1000
    min_word_count: int = 2
    num_layers: int = 1
    dropout: float = 0.2
    image_dropout: float = 0.0
    epochs: int = 10
    batch_size: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    freeze_image_encoder: bool = False
    seed: int = 0

    def __post_init__(self):
        names = ("dim", "num_answers", "min_word_count", "num_layers", "epochs", "batch_size")
        check_integers(self, {**dict.fromkeys(names, 1), "seed": 0})
        check_fractions(self, "dropout", "image_dropout")
        check_positives(self, "learning_rate")
        check_non_negatives(self, "weight_decay")


def create_question_answerer(
    recipe, data, image_encoder, image_converter, text_encoder=None, tokenizer=None
):
    """Creates an untrained `QuestionAnswerer` with the answers and words of a training set.

    The probabilities are independent (`"sigmoid"`) if questions have several answers, and sum to 1
    otherwise.

    Args:
        recipe: `QuestionAnsweringRecipe`.
        data: `QuestionAnswers` of the training split.
        image_encoder: layer or model, see `QuestionAnswerer`.
        image_converter: a `keras_hub.layers.ImageConverter`.
        text_encoder: layer or model, such as a pretrained `TextEncoder`; `None` for a new
            `TokenEncoder`.
        tokenizer: the tokenizer of `text_encoder`; `None` for a `WordTokenizer` of the questions.

    Returns:
        `QuestionAnswerer`.

    Raises:
        ValueError: if only one of `text_encoder` and `tokenizer` is `None`.
    """
    if (text_encoder is None) != (tokenizer is None):
        raise ValueError(
            "`text_encoder` and `tokenizer` belong together: pass both, or none for words of the "
            "training questions."
        )
    keras.utils.set_random_seed(recipe.seed)
    if text_encoder is None:
        tokenizer = WordTokenizer.from_captions(data.questions, recipe.min_word_count)
        text_encoder = TokenEncoder(
            recipe.dim,
            recipe.num_layers,
            vocabulary_size=tokenizer.vocabulary_size(),
            dropout=recipe.dropout,
            name="text_encoder",
        )
    has_several = any(len(answers) > 1 for answers in data.answers)
    return QuestionAnswerer(
        image_encoder,
        text_encoder,
        data.list_frequent_answers(recipe.num_answers),
        FusionBlock(MODALITIES, combine=recipe.combine, dim=recipe.dim, name="fusion"),
        ImageQuestionPreprocessor(tokenizer, image_converter),
        activation="sigmoid" if has_several else "softmax",
        dropout=recipe.dropout,
        image_dropout=recipe.image_dropout,
    )


def train_question_answering(recipe, data, model, dev_data=None, callbacks=(), image_tokens=None):
    """Trains a question answerer.

    Args:
        recipe: `QuestionAnsweringRecipe`. Its settings of the model are not used.
        data: `QuestionAnswers` of the training split, such as the result of `read_question_folder`
            or, for a `DataFrame`, `read_question_table`.
        model: `QuestionAnswerer` or `GenerativeQuestionAnswerer` with a preprocessor, such as the
            result of `create_question_answerer` or a preset. It is trained in place.
        dev_data: `QuestionAnswers` that select the best epoch, by accuracy or, for a generative
            model, by the loss; `None` for the last.
        callbacks: sequence of `keras.callbacks.Callback`.
        image_tokens: dict, image path -> tokens of a frozen image encoder, to which those of
            further images are added, so that models with the same encoder encode each image once;
            or `None`.

    Returns:
        The trained `model`.

    Raises:
        ValueError: if the model has no preprocessor, or no training answer is in `model.answers`. A
            warning states how many questions have no answer there.
    """
    if model.preprocessor is None:
        raise ValueError("`model` needs a `preprocessor`.")
    keras.utils.set_random_seed(recipe.seed)
    warn_of_slow_float16(model.dtype_policy)
    model.image_encoder.trainable = not recipe.freeze_image_encoder
    encode = make_encode_function(recipe, model)
    model.preprocessor.warn_of_questions(data.questions)
    batches = QuestionSequence(
        data, model, recipe.batch_size, True, recipe.seed, encode, image_tokens
    )
    is_classifier = isinstance(model, AnswerClassifier)
    if is_classifier:
        warn_of_unknown_answers([bool(scores) for scores in batches.scores], data.answers)
    callbacks = [batches.epoch_callback(), *callbacks]
    dev_batches = None
    if dev_data is not None:
        dev_batches = QuestionSequence(
            dev_data, model, recipe.batch_size, False, 0, encode, image_tokens
        )
        monitor, mode = ("val_accuracy", "max") if is_classifier else ("val_loss", "min")
        callbacks.append(
            keras.callbacks.EarlyStopping(
                monitor, mode=mode, patience=recipe.epochs, restore_best_weights=True
            )
        )
    steps = recipe.epochs * len(batches)
    warmup_steps = steps // 10
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, steps - warmup_steps, warmup_target=recipe.learning_rate, warmup_steps=warmup_steps
    )
    model.compile(keras.optimizers.AdamW(schedule, weight_decay=recipe.weight_decay, clipnorm=1.0))
    # The base class's `fit` would preprocess the batches again.
    keras.Model.fit(
        model,
        batches,
        epochs=recipe.epochs,
        validation_data=dev_batches,
        shuffle=False,
        callbacks=callbacks,
        verbose=0,
    )
    return model


def make_encode_function(recipe, model):
    """Returns a function of images for a frozen encoder whose tokens the model accepts."""
    if not (recipe.freeze_image_encoder and isinstance(model, QuestionAnswerer)):
        return None
    return compile_function(model, lambda images: model.encode_images(images, training=False))
