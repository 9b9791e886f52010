"""End-to-end training of a captioner, encoder included: cross-entropy, then self-critical."""

import dataclasses
import time

import keras
import numpy as np
from augment import DRAWS, IDENTITY, augment_photos
from keras import ops
from packed import is_tiny, read_image_encoder, read_photos
from precision import use_full_precision
from training import Training, decay_cosine, select_epoch_rows, warm_up
from training_step import TrainingStep

from keras_mmfusion._provenance import describe_machine, describe_versions
from keras_mmfusion.datasets.captions.caption_augmentation import swap_left_right
from keras_mmfusion.metrics import CiderD, PTBTokenizer, coco_caption_scores
from keras_mmfusion.models.captioning.decoding.caption_generator import SearchFunction
from keras_mmfusion.models.captioning.decoding.decoding_settings import DecodingSettings
from keras_mmfusion.models.captioning.training.captioner_recipe import CaptionerRecipe
from keras_mmfusion.models.captioning.training.self_critical import self_critical_targets
from keras_mmfusion.models.compiled_function import compile_function
from keras_mmfusion.models.fusion.scaled_updates import scale_updates
from keras_mmfusion.models.presets.preset_folder import set_dtype_policy


@dataclasses.dataclass(frozen=True)
class CaptionerPlan:
    """The settings of a captioner's training.

    Attributes:
        name: string. The name of the preset.
        encoder: string. The packed image encoder.
        recipe: `CaptionerRecipe`. Its model sizes, `label_smoothing`, `weight_decay`, `batch_size`,
            `samples` and both learning rates are used.
        encoder_scale: float. The encoder's learning rate, relative to the decoder's.
        cross_entropy_share: float. The progress at which the self-critical stage starts.
        average: float. The momentum of the moving average of the weights.
        reward_sources: the data sets of the self-critical stage.
        dtype: string. The dtype policy in training.
        seed: int.
    """

    name: str
    encoder: str
    recipe: CaptionerRecipe = CaptionerRecipe(
        batch_size=128,
        learning_rate=8e-4,
        self_critical_learning_rate=1e-4,
        sequence_length=22,
    )
    encoder_scale: float = 0.25
    cross_entropy_share: float = 0.45
    average: float = 0.995
    reward_sources: tuple = ("flickr8k", "flickr_extra")
    dtype: str = "mixed_bfloat16"
    seed: int = 0

    def tiny(self):
        """Returns settings with a decoder and batches that a CPU can train in seconds."""
        recipe = dataclasses.replace(
            self.recipe,
            dim=16,
            num_layers=1,
            num_heads=2,
            sequence_length=10,
            batch_size=4,
            min_count=2,
        )
        return dataclasses.replace(self, recipe=recipe)


class CaptionerData:
    """Photos on the device, and their captions as token ids.

    Args:
        photos: `Photos`.
        preprocessor: `CaptioningPreprocessor`.
        captions: int. Captions per image in training; truncated or padded to this number.
    """

    def __init__(self, photos, preprocessor, captions=5):
        self.photos = photos
        self.pixels = ops.convert_to_tensor(photos.pixels)
        filled = [(texts + [""] * captions)[:captions] for texts in photos.captions]
        swapped = [[swap_left_right(text) for text in texts] for texts in filled]
        # Indexed by whether the photo is flipped, then by photo.
        both = [preprocessor.pack_captions(texts) for texts in (filled, swapped)]
        self.inputs, self.targets, self.weights = (np.stack(x) for x in zip(*both, strict=True))

    def references(self):
        """Returns a dict of (flipped, row) -> token ids of the captions, with the end token."""
        return {
            (flipped, row): [
                ids[kept > 0].tolist()
                for ids, kept in zip(
                    self.targets[flipped, row], self.weights[flipped, row], strict=True
                )
                if kept.any()
            ]
            for flipped in (0, 1)
            for row in range(len(self.photos))
        }


class CaptionerSteps:
    """Training steps with cross-entropy and with self-critical rewards.

    Args:
        plan: `CaptionerPlan`.
        step: `TrainingStep` of the captioner.
        data: `CaptionerData`.
    """

    def __init__(self, plan, step, data):
        self.plan = plan
        self.step = step
        self.model = step.model
        self.data = data
        self.special = self.model.preprocessor.get_special_tokens()
        self.size = self.model.image_encoder.image_size
        words = self.model.preprocessor.tokenizer.vocabulary_size()
        self.nothing_blocked = np.zeros(words, "float32")
        self.suppressed_token_ids = np.zeros(words, "float32")
        self.suppressed_token_ids[list(self.special.suppressed_token_ids)] = -1e9
        self.settings = DecodingSettings(
            max_length=self.model.preprocessor.sequence_length, samples=plan.recipe.samples
        )
        self.draw = compile_function(self.model, self._draw)
        self.scorer = None
        self.rewarded = np.flatnonzero(np.isin(data.photos.sources, plan.reward_sources))
        self.drawn = None

    def cross_entropy(self, number, progress):
        """Takes a cross-entropy step on reference captions."""
        rows, draws, flipped = self._batch(number, np.arange(len(self.data.photos)))
        weights = self.data.weights[flipped, rows]
        loss = self.step(
            self._loss,
            self.plan.recipe.learning_rate * warm_up(progress) * decay_cosine(progress),
            self.plan.average,
            self.data.pixels,
            rows,
            draws,
            self.data.inputs[flipped, rows],
            self.data.targets[flipped, rows],
            weights / weights.sum(),
            np.float32(self.plan.recipe.label_smoothing),
            self.nothing_blocked,
        )
        return {"cross_entropy": loss}

    def self_critical(self, number, progress):
        """Takes a step with the rewards of captions sampled in the previous step.

        The device samples the captions of the next step while the CPU scores those of this step.
        """
        if self.scorer is None:
            self.scorer = CiderD(self.data.references())
        batch, ids = self.drawn or self._draw_batch(number)
        self.drawn = self._draw_batch(number + 1)
        rows, draws, flipped = batch
        ids = ops.convert_to_numpy(ids)
        keys = list(zip(flipped.tolist(), rows.tolist(), strict=True))
        rewards = self._rewards(ids, keys)
        inputs, weights = self_critical_targets(ids, rewards, self.special)
        loss = self.step(
            self._loss,
            self.plan.recipe.self_critical_learning_rate
            * warm_up(progress)
            * decay_cosine(progress),
            self.plan.average,
            self.data.pixels,
            rows,
            draws,
            inputs,
            ids,
            weights,
            np.float32(0),
            self.suppressed_token_ids,
        )
        return {"self_critical": loss, "reward": np.float32(rewards.mean())}

    def _batch(self, number, among):
        rows = select_epoch_rows(among, self.plan.recipe.batch_size, self.plan.seed, number)
        rng = np.random.default_rng([self.plan.seed, 1, number])
        draws = rng.random((len(rows), DRAWS), "float32")
        return rows.astype("int32"), draws, (draws[:, 7] >= 0.5).astype("int32")

    def _draw_batch(self, number):
        batch = self._batch(number, self.rewarded)
        rng = np.random.default_rng([self.plan.seed, 2, number])
        shape = (len(batch[0]), self.settings.samples, self.settings.max_length)
        noise = rng.random(shape, "float32")
        return batch, self.draw(self.data.pixels, *batch[:2], noise)

    def _rewards(self, ids, keys):
        samples = ids.shape[1]
        captions = [row[row != self.special.pad].tolist() for row in ids.reshape(-1, ids.shape[-1])]
        repeated = [key for key in keys for _ in range(samples)]
        return self.scorer.score(repeated, captions).reshape(-1, samples)

    def _images(self, pixels, rows, draws):
        return augment_photos(ops.take(pixels, rows, axis=0), draws, self.size)

    def _loss(self, pixels, rows, draws, inputs, *rest):
        images = self._images(pixels, rows, draws)
        logits = self.model({"images": images, "captions": inputs}, training=True)
        return compute_caption_loss(logits, *rest)

    def _draw(self, pixels, rows, draws, noise):
        tokens = self.model.encode(self._images(pixels, rows, draws), training=False)
        return SearchFunction(self.model, self.settings, self.special)(tokens, noise)[0]


def compute_caption_loss(logits, targets, weights, label_smoothing, bias):
    """Computes `SmoothedCrossEntropy` or `SelfCriticalLoss` with one formula that compiles once.

    Args:
        logits: float tensor `(..., words)`.
        targets: int tensor `(...)`.
        weights: float tensor `(...)`.
        label_smoothing: scalar tensor; 0 for a self-critical step.
        bias: float tensor `(words,)`, added to the logits: -1e9 for suppressed tokens.

    Returns:
        The sum over all targets, a scalar.
    """
    log_probs = ops.log_softmax(ops.cast(logits, "float32") + bias, axis=-1)
    chosen = ops.take_along_axis(log_probs, ops.expand_dims(targets, -1), axis=-1)
    spread = ops.mean(log_probs, axis=-1)
    smoothed = (1 - label_smoothing) * ops.squeeze(chosen, -1) + label_smoothing * spread
    return -ops.sum(weights * smoothed)


class CaptionerScores:
    """Scores greedy captions on the two halves of a split.

    The first half selects the weights; the second is reported.

    Args:
        model: `ImageCaptioningModel`.
        photos: `Photos`.
        batch_size: int.
    """

    def __init__(self, model, photos, batch_size=250):
        self.model = model
        self.photos = photos
        self.pixels = ops.convert_to_tensor(photos.pixels)
        self.batch_size = min(batch_size, len(photos))
        self.special = model.preprocessor.get_special_tokens()
        self.settings = DecodingSettings(max_length=model.preprocessor.sequence_length, beams=1)
        self.search = compile_function(model, self._search)
        self.tokenizer = PTBTokenizer()
        self.halves = {"chosen_on": slice(0, None, 2), "reported": slice(1, None, 2)}
        self.scorers = {}
        for half, rows in self.halves.items():
            references = dict(enumerate(photos.captions[rows]))
            self.scorers[half] = CiderD(self.tokenizer.tokenize(references))

    def __call__(self):
        captions = self.model.preprocessor.generate_postprocess(self._ids())
        scores = {}
        for half, rows in self.halves.items():
            tokens = self.tokenizer.tokenize({i: [x] for i, x in enumerate(captions[rows])})
            candidates = [each[0] for each in tokens.values()]
            scores[f"cider_{half}"] = float(
                self.scorers[half].score(list(tokens), candidates).mean()
            )
        return scores

    def final(self, beams=4):
        """Scores the model in float32 on image files; returns the scores and all captions."""
        result = {"scores": {}, "captions": {}}
        for name, width in (("greedy", 1), ("beams", beams)):
            captions = self.model.generate(
                list(self.photos.pixels), beams=width, batch_size=self.batch_size
            )
            result["captions"][name] = captions
            for half, rows in {**self.halves, "all": slice(None)}.items():
                result["scores"][f"{name}_{half}"] = coco_caption_scores(
                    dict(enumerate(self.photos.captions[rows])),
                    dict(enumerate(captions[rows])),
                    ("bleu", "rouge_l", "cider"),
                )
        return result

    def _ids(self):
        result = []
        for start in range(0, len(self.photos), self.batch_size):
            rows = np.arange(start, start + self.batch_size) % len(self.photos)
            result.append(
                ops.convert_to_numpy(self.search(self.pixels, rows.astype("int32")))[:, 0]
            )
        return np.concatenate(result)[: len(self.photos)]

    def _search(self, pixels, rows):
        draws = np.tile(IDENTITY, (self.batch_size, 1))
        images = augment_photos(
            ops.take(pixels, rows, axis=0),
            ops.convert_to_tensor(draws),
            self.model.image_encoder.image_size,
        )
        tokens = self.model.encode(images, training=False)
        return SearchFunction(self.model, self.settings, self.special)(tokens)[0]


def train_captioner(plan, budget_seconds, out):
    """Trains a captioner on the packed photos, or resumes the run in `out`.

    Args:
        plan: `CaptionerPlan`.
        budget_seconds: float.
        out: string or path. The output folder. File names start with the plan's name.
    """
    begin = time.monotonic()
    if is_tiny():
        plan = plan.tiny()
    train, dev = read_photos("train"), read_photos("dev")
    encoder = read_image_encoder(plan.encoder)
    captions = [text for texts in train.captions for text in texts]
    model = dataclasses.replace(plan.recipe, seed=plan.seed).build_captioner(encoder, captions)
    encoder.trainable = True
    description = describe(plan, model, train)
    set_dtype_policy(model, plan.dtype)
    of_encoder = {id(variable) for variable in encoder.variables}
    optimizer = scale_updates(
        keras.optimizers.AdamW(
            weight_decay=plan.recipe.weight_decay, clipnorm=plan.recipe.clipnorm, beta_2=0.98
        ),
        lambda variable: plan.encoder_scale if id(variable) in of_encoder else 1.0,
    )
    step = TrainingStep(model, optimizer)
    scores = CaptionerScores(model, dev)
    training = Training(
        plan.name,
        step,
        out,
        budget_seconds - (time.monotonic() - begin),
        description=description,
        score=scores,
        monitor="cider_chosen_on",
    )
    if training.done:
        return
    steps = CaptionerSteps(plan, step, CaptionerData(train, model.preprocessor))
    training.run([(plan.cross_entropy_share, steps.cross_entropy), (1.0, steps.self_critical)])
    set_dtype_policy(model, "float32")
    model.reset_compiled_functions()
    with use_full_precision():
        training.finish(scores.final)


def describe(plan, model, train):
    """Returns the description of a captioner from which `publish.py` builds the preset."""
    return {
        "kind": "captioner",
        "model": keras.saving.serialize_keras_object(model),
        "vocabulary": model.preprocessor.tokenizer.get_vocabulary(),
        "plan": dataclasses.asdict(plan),
        "photos": len(train),
        "versions": describe_versions(),
        "machine": describe_machine(),
    }
