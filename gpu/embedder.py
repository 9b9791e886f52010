"""End-to-end training of an image-text model, including both encoders, with large batches."""

import dataclasses
import time

import keras
import numpy as np
from augment import DRAWS, IDENTITY, augment_photos
from keras import ops
from packed import (
    is_tiny,
    read_image_encoder,
    read_photos,
    read_sentences,
    read_text_encoder,
    read_word_pieces,
)
from precision import use_full_precision
from training import Training, decay_cosine, select_epoch_rows, warm_up
from training_step import TrainingStep

from keras_mmfusion import losses
from keras_mmfusion._provenance import describe_machine, describe_versions
from keras_mmfusion.layers import SharedSpaceProjector
from keras_mmfusion.metrics import retrieval_scores
from keras_mmfusion.models import ContrastiveModel
from keras_mmfusion.models.compiled_function import compile_function
from keras_mmfusion.models.fusion.scaled_updates import scale_updates
from keras_mmfusion.models.presets.preset_folder import set_dtype_policy


@dataclasses.dataclass(frozen=True)
class EmbedderPlan:
    """The settings of an image-text model's training.

    Attributes:
        name: string. The name of the output files.
        loss: string. A class of `keras_mmfusion.losses`.
        encoder: string. The packed image encoder.
        dim, dropout: settings of the projectors.
        batch_size: int. Pairs per batch.
        chunk: int. Images that the encoder processes at once. Activations are recomputed for the
            gradients, so memory holds those of one chunk.
        learning_rate: float. The learning rate of the projectors.
        encoder_scale: float. The encoders' learning rate, relative to the projectors'.
        weight_decay: float.
        average: float. The momentum of the moving average of the weights.
        dtype: string. The dtype policy in training.
        seed: int.
    """

    name: str
    loss: str
    encoder: str = "efficientnet_lite2_imagenet"
    dim: int = 512
    dropout: float = 0.2
    batch_size: int = 1024
    chunk: int = 256
    learning_rate: float = 1e-3
    encoder_scale: float = 0.1
    weight_decay: float = 0.05
    average: float = 0.98
    dtype: str = "mixed_bfloat16"
    seed: int = 0

    def tiny(self):
        """Returns settings with projectors and batches that a CPU can train in seconds."""
        return dataclasses.replace(self, dim=16, batch_size=4, chunk=2)


class EmbedderSteps:
    """Training steps on pairs of a photo and one of its captions.

    Args:
        plan: `EmbedderPlan`.
        step: `TrainingStep` of the model.
        photos: `Photos`.
    """

    def __init__(self, plan, step, photos):
        self.plan = plan
        self.step = step
        self.model = step.model
        self.pixels = ops.convert_to_tensor(photos.pixels)
        self.ids, self.masks = read_sentences(photos.rows)
        self.size = self.model.image_encoder.image_size
        # Without dropout and batch statistics, recomputing gives the same activations.
        self.encode = keras.remat(lambda images: self.model.image_encoder(images, training=True))

    def contrastive(self, number, progress):
        """Takes a step."""
        among = np.arange(len(self.pixels))
        rows = select_epoch_rows(among, self.plan.batch_size, self.plan.seed, number).astype(
            "int32"
        )
        rng = np.random.default_rng([self.plan.seed, 1, number])
        draws = rng.random((len(rows), DRAWS), "float32")
        flipped = (draws[:, 7] >= 0.5).astype("int32")
        positions = (flipped, rows, rng.integers(self.ids.shape[2], size=len(rows)))
        loss = self.step(
            self._loss,
            self.plan.learning_rate * warm_up(progress) * decay_cosine(progress),
            self.plan.average,
            self.pixels,
            rows,
            draws,
            self.ids[positions],
            self.masks[positions],
        )
        return {"loss": loss}

    def _loss(self, pixels, rows, draws, ids, mask):
        tokens = [
            self.encode(
                augment_photos(
                    ops.take(pixels, rows[start : start + self.plan.chunk], axis=0),
                    draws[start : start + self.plan.chunk],
                    self.size,
                )
            )
            for start in range(0, rows.shape[0], self.plan.chunk)
        ]
        embeddings = self.model(
            {
                "image_tokens": ops.concatenate(tokens),
                "text": {"token_ids": ids, "padding_mask": mask},
            },
            training=True,
        )
        return self.model.pair_loss(embeddings["image"], embeddings["text"])


class EmbedderScores:
    """Recall on the two halves of a split and on all of it; the first half selects the weights.

    Args:
        model: `ContrastiveModel`.
        photos: `Photos`.
        batch_size: int. The batch size for embedding photos and captions.
    """

    def __init__(self, model, photos, batch_size=250):
        self.model = model
        self.photos = photos
        self.pixels = ops.convert_to_tensor(photos.pixels)
        ids, masks = read_sentences(photos.rows)
        # Photos with few captions have repeated captions, which count once.
        counts = [min(len(texts), ids.shape[2]) for texts in photos.captions]
        real = np.arange(ids.shape[2]) < np.array(counts)[:, None]
        self.owners = np.repeat(np.arange(len(photos)), counts)
        self.texts = ids[0][real], masks[0][real]
        self.batch_size = min(batch_size, len(photos))
        self.restart()

    def restart(self):
        """Recompiles, for use after a change of precision."""
        self.embed_images = compile_function(self.model, self._embed_images)
        self.embed_texts = compile_function(self.model, self._embed_texts)

    def __call__(self):
        halves = {"chosen_on": np.arange(0, len(self.photos), 2)}
        halves["reported"] = np.arange(1, len(self.photos), 2)
        images, texts = self._embeddings()
        scores = {}
        for half, rows in {**halves, "all": np.arange(len(self.photos))}.items():
            kept = np.isin(self.owners, rows)
            owners = np.searchsorted(rows, self.owners[kept])
            result = retrieval_scores(images[rows] @ texts[kept].T, owners)
            scores |= {f"{name}_{half}": float(value) for name, value in result.items()}
        directions = ("image_to_text_recall_at_1", "text_to_image_recall_at_1")
        scores["chosen_by"] = sum(scores[f"{name}_chosen_on"] for name in directions) / 2
        return scores

    def final(self):
        """Scores the model in float32; returns the scores and the cosines of captions and
        photos."""
        self.restart()
        images, texts = self._embeddings()
        cosines = np.sum(images[self.owners] * texts, axis=1)
        return {"scores": self(), "cosines": [round(float(x), 4) for x in cosines]}

    def _embeddings(self):
        rows = np.arange(len(self.photos), dtype="int32")
        images = self._in_batches(lambda rows: self.embed_images(self.pixels, rows), rows)
        return images, self._in_batches(self.embed_texts, *self.texts)

    def _in_batches(self, function, *arrays):
        result, total = [], len(arrays[0])
        for start in range(0, total, self.batch_size):
            rows = np.arange(start, start + self.batch_size) % total
            result.append(ops.convert_to_numpy(function(*(x[rows] for x in arrays))))
        vectors = np.concatenate(result)[:total].astype("float32")
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def _embed_images(self, pixels, rows):
        draws = ops.convert_to_tensor(np.tile(IDENTITY, (self.batch_size, 1)))
        size = self.model.image_encoder.image_size
        images = augment_photos(ops.take(pixels, rows, axis=0), draws, size)
        return ops.cast(self.model.compute_embeddings({"image": images})["image"], "float32")

    def _embed_texts(self, ids, mask):
        text = {"token_ids": ids, "padding_mask": mask}
        return ops.cast(self.model.compute_embeddings({"text": text})["text"], "float32")


def train_embedder(plan, budget_seconds, out):
    """Trains on the packed photos and captions, or resumes the run in `out`.

    Args:
        plan: `EmbedderPlan`.
        budget_seconds: float.
        out: string or path. The output folder. File names start with the plan's name.
    """
    begin = time.monotonic()
    if is_tiny():
        plan = plan.tiny()
    keras.utils.set_random_seed(plan.seed)
    train, dev = read_photos("train"), read_photos("dev")
    encoders = {"image": read_image_encoder(plan.encoder), "text": read_text_encoder()}
    projectors = {
        name: SharedSpaceProjector(plan.dim, dropout=plan.dropout, name=f"{name}_projector")
        for name in encoders
    }
    model = ContrastiveModel(encoders, getattr(losses, plan.loss)(), projectors)
    description = {
        "kind": "embedder",
        "model": keras.saving.serialize_keras_object(model),
        "plan": dataclasses.asdict(plan),
        "word_pieces": read_word_pieces(),
        "photos": len(train),
        "versions": describe_versions(),
        "machine": describe_machine(),
    }
    set_dtype_policy(model, plan.dtype)
    # Half precision is too coarse for cosines times a hundred.
    model.logit_scale.dtype_policy = "float32"
    encoder_ids = {id(v) for encoder in encoders.values() for v in encoder.variables}
    optimizer = scale_updates(
        keras.optimizers.AdamW(weight_decay=plan.weight_decay, clipnorm=1.0, beta_2=0.98),
        lambda variable: plan.encoder_scale if id(variable) in encoder_ids else 1.0,
    )
    step = TrainingStep(model, optimizer)
    scores = EmbedderScores(model, dev)
    training = Training(
        plan.name,
        step,
        out,
        budget_seconds - (time.monotonic() - begin),
        description=description,
        score=scores,
        monitor="chosen_by",
    )
    if training.done:
        return
    training.run([(1.0, EmbedderSteps(plan, step, train).contrastive)])
    set_dtype_policy(model, "float32")
    with use_full_precision():
        training.finish(scores.final)
