"""Captions and answers that a decoder writes."""

import numpy as np
from keras import ops

from keras_mmfusion.explain.adapters.image_inputs import (
    GIVEN,
    MEDIAN_COLOR,
    MEDIAN_FRAME,
    fill_with_median,
    find_grid,
)
from keras_mmfusion.explain.adapters.sample_checks import check_baselines, check_modalities
from keras_mmfusion.explain.adapters.target_log_probs import sum_log_probs
from keras_mmfusion.explain.adapters.text_inputs import find_removal_id, find_word, list_tokens
from keras_mmfusion.explain.explainable import Explainable
from keras_mmfusion.explain.internals.token_embeddings import find_token_embedding
from keras_mmfusion.models.captioning.decoding.image_batches import preprocess_images
from keras_mmfusion.models.captioning.git_captioner import GitCaptioner


class ExplainableText(Explainable):
    """The log-probability of a text, or of a word of it, that a decoder writes about an image.

    A subclass implements `compute_logits`.
    """

    text_name = None  # The modality of the ids that the decoder or the text encoder reads.

    def __init__(self, model, image, ids, fixed, target, target_name, baselines):
        tokenizer = model.preprocessor.tokenizer
        removal_id, removal = find_removal_id(tokenizer)
        is_image = image.ndim == 3
        baselines = check_baselines(baselines, {"image": image})
        median = MEDIAN_COLOR if is_image else MEDIAN_FRAME
        super().__init__(
            model,
            {"image": image, self.text_name: ids},
            {"image": "image" if is_image else "sequence", self.text_name: "ids"},
            {
                "image": baselines.get("image", fill_with_median(image)),
                self.text_name: np.where(fixed, ids, removal_id).astype("int32"),
            },
            target,
            target_name,
            {"image": GIVEN if baselines else median, self.text_name: removal},
            fixed={self.text_name: fixed},
            labels={self.text_name: list_tokens(tokenizer, ids)},
            image_encoder=model.image_encoder,
        )
        if is_image:
            count = _count_image_tokens(model, image)
            self.grid = find_grid(model.image_encoder, count)
            if isinstance(model, GitCaptioner):
                self.token_slices = {
                    "image": slice(0, count),
                    self.text_name: slice(count, count + len(ids)),
                }

    def _compute(self, values, keep, constants):
        images = self.replace_removed("image", values["image"], keep, constants)
        values = dict(values)
        text = values[self.text_name]
        if len(text.shape) == 2:
            text = self.replace_removed(self.text_name, text, keep, constants)
        values[self.text_name] = text
        with self.use_ids(self.text_name, values, constants) as ids:
            logits = self.compute_logits(images, ids, constants)
        return sum_log_probs(logits, constants)

    def compute_logits(self, images, ids, constants):
        """Computes the logits `(batch, target tokens, vocabulary_size)` of the target ids."""
        raise NotImplementedError(f"{type(self).__name__} must implement `compute_logits`.")


class ExplainableCaption(ExplainableText):
    """The log-probability of a caption, or of a word given the words before it."""

    text_name = "caption"

    @classmethod
    def from_sample(cls, model, inputs, target=None, baselines=None):
        """Reads a sample.

        Args:
            model: `Captioner`.
            inputs: dict of `"image"` and optionally `"caption"`, a string. Defaults to the model's
                caption.
            target: string, a word of the caption; int, the index of a token; or `None` for the
                whole caption.
            baselines: dict of an array for `"image"`, or `None`.
        """
        check_modalities(model, inputs, ("image",), ("caption",), preprocessor=True)
        image = read_image_input(model, inputs["image"])
        preprocessor = model.preprocessor
        caption = inputs.get("caption")
        if caption is None:
            [caption] = model.generate([inputs["image"]])
        if not isinstance(caption, str):
            raise ValueError(f"`inputs['caption']` must be a string. Received: {caption!r}")
        ids, targets, weights = (x[0] for x in preprocessor.pack_captions([caption]))
        length = int(weights.sum())
        ids, targets = ids[:length], targets[:length]
        words, position = slice(0, length), np.arange(length)
        target_name = f'the log-probability of the caption "{caption}"'
        if target is not None:
            words = find_word(preprocessor.tokenizer, targets, target)
            word = " ".join(list_tokens(preprocessor.tokenizer, targets[words]))
            target_name = f'the log-probability of "{word}" in the caption "{caption}"'
        weights = np.float32((position >= words.start) & (position < words.stop))
        # The start token is not a word. The last words have no effect on the words before them.
        fixed = (position == 0) | (position >= words.stop)
        target = {"target_ids": targets, "target_weights": weights}
        return cls(model, image, ids, fixed, target, target_name, baselines)

    def get_embedding(self, name):
        return find_token_embedding(self.model.text_decoder) if name == self.text_name else None

    def compute_logits(self, images, ids, constants):
        return self.model.decode(self.model.encode(images, training=False), ids, training=False)


class ExplainableGitAnswer(ExplainableCaption):
    """The log-probability of an answer that GIT writes after a question."""

    text_name = "question"

    @classmethod
    def from_sample(cls, model, inputs, target=None, baselines=None):
        """Reads a sample: `"image"` and `"question"`; the target is an answer, a string."""
        image, target = _read_question(model, inputs, target)
        question = model.preprocessor.tokenize_prompt(inputs["question"])
        tokenizer = model.preprocessor.tokenizer
        answer = [int(each) for each in tokenizer([target])[0]] + [tokenizer.end_token_id]
        ids = np.array([tokenizer.start_token_id, *question, *answer[:-1]], "int32")
        targets = np.array([*question, *answer], "int32")
        position = np.arange(len(ids))
        fixed = (position == 0) | (position > len(question))
        weights = np.float32(position >= len(question))
        target_name = f'the log-probability of the answer "{target}"'
        target = {"target_ids": targets, "target_weights": weights}
        return cls(model, image, ids, fixed, target, target_name, baselines)


class ExplainableGeneratedAnswer(ExplainableText):
    """The log-probability of an answer that the decoder of an `AnswerGenerator` writes."""

    text_name = "question"

    @classmethod
    def from_sample(cls, model, inputs, target=None, baselines=None):
        """Reads a sample: `"image"` and `"question"`; the target is an answer, a string."""
        image, target = _read_question(model, inputs, target)
        [ids] = model.preprocessor.tokenize_questions([inputs["question"]])
        ids = np.array(ids, "int32")
        answer, targets, weights = (x[0] for x in model.preprocessor.pack_captions([target]))
        length = int(weights.sum())
        fixed = np.isin(np.arange(len(ids)), [0, len(ids) - 1])
        target_name = f'the log-probability of the answer "{target}"'
        constants = {
            "answer_ids": answer[:length],
            "target_ids": targets[:length],
            "target_weights": np.ones(length, "float32"),
        }
        return cls(model, image, ids, fixed, constants, target_name, baselines)

    def get_embedding(self, name):
        return find_token_embedding(self.model.text_encoder) if name == self.text_name else None

    def compute_logits(self, images, ids, constants):
        tokens, mask = self.model.encode_pair(
            images, ids, ops.ones_like(ids, dtype="bool"), training=False
        )
        answer = constants["answer_ids"]
        answer = ops.broadcast_to(answer, (ops.shape(ids)[0], answer.shape[1]))
        x = self.model.text_decoder.embedding(ops.cast(answer, "int32"))
        return self.model.text_decoder(x, tokens, encoder_mask=mask, training=False)


def read_image_input(model, image):
    """Reads and preprocesses an image or video, a float32 array without a batch axis."""
    # An array of frames would otherwise be several images for a model of images and videos.
    batches, _ = preprocess_images(
        [image], (), model.preprocessor, 1, model.num_frames, model.encodes_only_videos
    )
    [batch, _] = next(batches)
    return np.asarray(batch[0], "float32")


def _read_question(model, inputs, target):
    """Returns the preprocessed image of a question, and the answer, by default the model's."""
    check_modalities(model, inputs, ("image", "question"), preprocessor=True)
    image = read_image_input(model, inputs["image"])
    if target is None:
        [target] = model.answer([inputs["image"]], [inputs["question"]])
    elif not isinstance(target, str) or not target.strip():
        raise ValueError(f"`target` must be an answer, a string. Received: {target!r}")
    return image, target


def _count_image_tokens(model, image):
    images = ops.convert_to_tensor(image[np.newaxis])
    return int(np.prod(model.image_encoder(images, training=False).shape[1:-1]))
