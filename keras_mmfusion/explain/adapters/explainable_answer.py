"""Answers that are selected from a list."""

import numpy as np
from keras import ops

from keras_mmfusion.datasets.images.transparency import drops_alpha
from keras_mmfusion.explain.adapters.image_inputs import (
    CELLS,
    GIVEN,
    MEDIAN_COLOR,
    MEDIAN_FRAME,
    MISSING,
    expand_token_mask,
    fill_with_median,
    find_grid,
)
from keras_mmfusion.explain.adapters.sample_checks import check_baselines, check_modalities
from keras_mmfusion.explain.adapters.text_inputs import find_removal_id, list_tokens
from keras_mmfusion.explain.explainable import Explainable
from keras_mmfusion.explain.internals.token_embeddings import find_token_embedding
from keras_mmfusion.models.question_answering.question_answerer import QuestionAnswerer
from keras_mmfusion.models.question_answering.question_pairs import pair_questions
from keras_mmfusion.models.question_answering.vilt_question_answerer import ViltQuestionAnswerer


class ExplainableAnswer(Explainable):
    """The logit of an answer of an `AnswerClassifier`."""

    @classmethod
    def from_sample(cls, model, inputs, target=None, baselines=None):
        """Reads a sample.

        Args:
            model: `AnswerClassifier`.
            inputs: dict of `"image"` and `"question"`.
            target: string, one of the answers. Defaults to the model's answer.
            baselines: dict of an array for `"image"`, or `None`.
        """
        check_modalities(model, inputs, ("image", "question"), preprocessor=True)
        drop_alpha = drops_alpha(model.preprocessor)
        pairs, _ = pair_questions(
            [inputs["image"]], [inputs["question"]], drop_alpha, model.num_frames
        )
        image = np.asarray(model.preprocessor.convert_image(next(pairs)[0]), "float32")
        [ids] = model.preprocessor.tokenize_questions([inputs["question"]])
        ids = np.array(ids, "int32")
        is_special = np.isin(np.arange(len(ids)), [0, len(ids) - 1])
        tokenizer = model.preprocessor.tokenizer
        removal_id, _ = find_removal_id(tokenizer)
        baselines = check_baselines(baselines, {"image": image})
        is_vilt = isinstance(model, ViltQuestionAnswerer)
        explainable = cls(
            model,
            {"image": image, "question": ids},
            {"image": "image" if image.ndim == 3 else "sequence", "question": "ids"},
            {
                "image": baselines.get("image", fill_with_median(image)),
                "question": np.where(is_special, ids, removal_id).astype("int32"),
            },
            {},
            "",
            {"question": "masked" if is_vilt else "masked in the text encoder and in the fusion"},
            fixed={"question": is_special},
            replaced=tuple(baselines),
            labels={"question": list_tokens(tokenizer, ids)},
            image_encoder=getattr(model, "image_encoder", None),
        )
        explainable._prepare_image()
        explainable._set_target(target)
        return explainable

    def _prepare_image(self):
        """Finds the grid of the image and whether the fusion can mask its tokens."""
        image = self.inputs["image"]
        self.tokens = None
        if isinstance(self.model, QuestionAnswerer):
            images = ops.convert_to_tensor(image[np.newaxis])
            tokens = self.model.encode_images(images, training=False)
            self.tokens = ops.convert_to_numpy(tokens)[0]
        parts = MEDIAN_COLOR if self.kinds["image"] == "image" else MEDIAN_FRAME
        self.removal["image"] = parts if self.tokens is None else f"{MISSING}; parts {parts}"
        if "image" in self.replaced:
            self.removal["image"] = GIVEN
        if self.kinds["image"] == "sequence":
            return
        if self.tokens is None:
            backbone = self.model.backbone
            patch = backbone.embedding.patch_size
            self.grid = tuple(size // patch for size in image.shape[:2])
            text = len(self.inputs["question"])
            count = 1 + self.grid[0] * self.grid[1]
            self.token_slices = {"question": slice(0, text), "image": slice(text, text + count)}
        elif self.tokens.ndim == 1:
            self.grid = (min(CELLS, image.shape[0]), min(CELLS, image.shape[1]))
        else:
            self.grid = find_grid(self.image_encoder, len(self.tokens))
            if "image" not in self.replaced:
                self.removal["image"] = f"masked in the fusion; pixels {MEDIAN_COLOR}"

    def _set_target(self, target):
        answers = self.model.answers
        if target is None:
            scores = self._predict_all()
            target = answers[int(np.argmax(scores))]
        if target not in answers:
            raise ValueError(
                f"`target` must be one of the model's {len(answers)} answers, such as "
                f"{answers[:5]}. Received: {target!r}"
            )
        self.constants["target_index"] = np.array(answers.index(target), "int32")
        self.target_name = f'the logit of the answer "{target}"'

    def _predict_all(self):
        inputs = {name: x[np.newaxis] for name, x in self.inputs.items()}
        logits = self.model(
            {"images": inputs["image"], "questions": inputs["question"]}, training=False
        )
        return ops.convert_to_numpy(ops.cast(logits, "float32"))[0]

    def get_embedding(self, name):
        if name != "question":
            return None
        model = self.model
        encoder = getattr(model, "text_encoder", None)
        return find_token_embedding(model.backbone if encoder is None else encoder)

    def encode_again(self):
        self._prepare_image()

    def reduce_inputs(self, keep):
        if self.tokens is None or "image" in self.replaced:
            return self.inputs
        shape = keep["image"].shape[1:]
        if shape != () and (self.tokens.ndim == 1 or shape != self.grid):
            return self.inputs
        return {"image_tokens": self.tokens, "question": self.inputs["question"]}

    def _compute(self, values, keep, constants):
        inputs = {}
        if "image_tokens" in values:
            inputs["image_tokens"] = tokens = values["image_tokens"]
            inputs["image_mask"] = expand_token_mask(keep["image"], tokens.shape[1])
        else:
            inputs["images"] = self.replace_removed("image", values["image"], keep, constants)
        with self.use_ids("question", values, constants) as ids:
            mask = ops.ones_like(ids, dtype="bool")
            if "question" in keep:
                kept = keep["question"]
                mask = ops.logical_and(mask, kept if len(kept.shape) == 2 else kept[:, None])
                if self.tokens is None:  # The output of ViLT is that of its first token.
                    ends = np.arange(ids.shape[1])
                    ends = (ends == 0) | (ends == ids.shape[1] - 1)
                    mask = ops.logical_or(mask, ops.convert_to_tensor(ends))
            logits = self.model({**inputs, "questions": ids, "question_mask": mask}, training=False)
        logits = ops.cast(logits, "float32")
        return ops.take(logits, constants["target_index"][0], axis=1)
