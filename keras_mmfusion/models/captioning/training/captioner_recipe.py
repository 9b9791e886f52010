"""Training of captioners on a pretrained image encoder, in up to three stages."""

import dataclasses
import pathlib

import keras
import keras_hub

from keras_mmfusion._progress import inform
from keras_mmfusion.encoders.image_encoder import ImageEncoder
from keras_mmfusion.layers.graph.convolution.image_graph import ImageGraph
from keras_mmfusion.losses.self_critical_loss import SelfCriticalLoss
from keras_mmfusion.losses.smoothed_cross_entropy import SmoothedCrossEntropy
from keras_mmfusion.models.captioning.captioner import Captioner
from keras_mmfusion.models.captioning.captioning_preprocessor import CaptioningPreprocessor
from keras_mmfusion.models.captioning.graph_captioner import GraphCaptioner
from keras_mmfusion.models.captioning.text_decoder import TextDecoder
from keras_mmfusion.models.captioning.training.captioner_run import (
    CROSS_ENTROPY,
    FINE_TUNING,
    SELF_CRITICAL,
    CaptionerRun,
)
from keras_mmfusion.models.captioning.training.captioner_settings import CaptionerSettings
from keras_mmfusion.models.captioning.training.captioner_training import BEST, CaptionerTraining
from keras_mmfusion.models.captioning.training.encoder_digest import compute_encoder_digest
from keras_mmfusion.models.captioning.training.feature_cache import (
    FeatureSequence,
    describe_features,
    encode_feature_cache,
    is_finished,
    remove_outdated,
    write_feature_cache,
)
from keras_mmfusion.models.captioning.training.score_cached_features import score_features
from keras_mmfusion.models.captioning.training.self_critical import SelfCriticalSequence
from keras_mmfusion.models.captioning.training.training_log import require_tensorboard
from keras_mmfusion.models.captioning.transformer_captioner import TransformerCaptioner
from keras_mmfusion.models.captioning.vocabulary_extension import extend_vocabulary
from keras_mmfusion.models.captioning.word_tokenizer import WordTokenizer
from keras_mmfusion.models.presets.preset_folder import set_dtype_policy
from keras_mmfusion.models.presets.preset_target import check_preset_target
from keras_mmfusion.models.presets.slow_float16 import warn_of_slow_float16


@dataclasses.dataclass(frozen=True)
class CaptionerRecipe(CaptionerSettings):
    """Settings and stages of training a captioner on a pretrained image encoder.

    1. Cross-entropy: trains the decoder.
    2. Fine-tuning: cross-entropy; also trains the last blocks of the encoder.
    3. Self-critical training: rewards sampled captions by CIDEr-D; trains the decoder, and
       optionally the last blocks of the encoder.

    Each stage starts from the best dev epoch of the previous stage; stages with 0 epochs are
    skipped. The first stage starts from random decoder weights or from another captioner, see
    `train_captioner`. Feature maps of the frozen part of the encoder are computed once and cached.
    For the third stage, they are also passed through the fine-tuned blocks that it does not train.

    Args:
        dim, num_layers, num_heads, dropout: arguments of the `TextDecoder`.
        graph_layers: int. Graph convolutions over the image tokens. With 0, a
            `TransformerCaptioner` is trained, otherwise a `GraphCaptioner`.
        sequence_length: int. Maximum number of tokens of a caption, including the end token.
        min_count: int. Minimum number of occurrences of a word in the training captions to be
            included in the vocabulary.
        views: int. Versions of each training image: the original and augmented copies.
        batch_size: int. Images in a batch, each with all its captions.
        epochs: int. Epochs of the first stage: AdamW with warm-up and cosine decay.
        learning_rate, warmup_steps, weight_decay, label_smoothing, clipnorm: settings of
            cross-entropy training.
        fine_tune_epochs, fine_tune_learning_rate: settings of the second stage.
        fine_tune_blocks: int. Number of encoder blocks that the second stage trains.
        self_critical_epochs, self_critical_learning_rate: settings of the third stage.
        self_critical_blocks: int, at most `fine_tune_blocks`. Number of encoder blocks that the
            third stage trains; with 0 it trains only the decoder.
        self_critical_average: float in [0, 1). Momentum of a moving average of the weights in the
            third stage; the average is evaluated and saved. 0 for none.
        samples: int. Captions sampled for each image in the third stage.
        dtype: string. The dtype policy in training.
        seed: int.
    """

    def cache_features(self, start, train, dev, folder, restart=False):
        """Writes the feature maps of the frozen part of the encoder; returns their folders.

        Existing maps of the same images, captions, encoder and settings are reused. Others raise
        an error that lists the differences, or are replaced with `restart=True`.
        """
        image_encoder = _get_image_encoder(start)
        lower, _ = image_encoder.split(self.fine_tune_blocks)
        size = image_encoder.image_size
        # Maps below different blocks may have the same shape, so each cut has its own folder.
        folder = pathlib.Path(folder) / f"below_last_{self.fine_tune_blocks}_blocks"
        caches = (
            (lower, train, folder / "train", size, self.views, self.seed),
            (lower, dev, folder / "dev", size, 1, self.seed),
        )
        for cache in caches:  # Check all of them before spending hours on the first.
            metadata, _ = describe_features(*cache)
            if restart:
                remove_outdated(cache[2], metadata)
            is_finished(cache[2], metadata)
        return tuple(write_feature_cache(*cache) for cache in caches)

    def build_captioner(self, start, captions):
        """Creates the captioner that the first stage trains.

        Args:
            start: `ImageEncoder`, for a captioner with random decoder weights and the vocabulary of
                the captions; or `Captioner`, for a copy with an extended vocabulary.
            captions: iterable of strings.
        """
        keras.utils.set_random_seed(self.seed)
        if isinstance(start, Captioner):
            captioner = extend_vocabulary(start, captions, self.min_count)
            captioner.image_encoder.trainable = False
            return captioner
        image_encoder = start
        image_encoder.trainable = False
        tokenizer = WordTokenizer.from_captions(captions, min_count=self.min_count)
        preprocessor = CaptioningPreprocessor(
            tokenizer,
            keras_hub.layers.ImageConverter(
                image_size=image_encoder.image_size,
                scale=1 / 128,
                offset=-127 / 128,
                antialias=True,
                crop_to_aspect_ratio=False,  # The training images are resized in the same way.
            ),
            sequence_length=self.sequence_length,
        )
        decoder = TextDecoder(
            tokenizer.vocabulary_size(),
            dim=self.dim,
            num_layers=self.num_layers,
            num_heads=self.num_heads,
            sequence_length=self.sequence_length,
            dropout=self.dropout,
            cross_attention=True,
            name="text_decoder",
        )
        parts = {
            "image_encoder": image_encoder,
            "text_decoder": decoder,
            "preprocessor": preprocessor,
            "name": "captioner",
        }
        if not self.graph_layers:
            return TransformerCaptioner(**parts)
        image_graph = ImageGraph(
            self.dim,
            self.graph_layers,
            grid=image_encoder.grid,
            dropout=self.dropout,
            name="image_graph",
        )
        return GraphCaptioner(image_graph=image_graph, **parts)

    def train_cross_entropy(self, start, captions, caches, folder, **run):
        """Runs the first stage; the preset of the best epoch is written to `folder`/best.

        Returns whether the stage is finished.
        """
        captioner = self.build_captioner(start, captions)
        run["stage"] = "Cross-entropy"
        return self._run_cross_entropy(
            captioner, caches, folder, self.epochs, self.learning_rate, **run
        )

    def fine_tune(self, preset, caches, folder, **run):
        """Runs the second stage from a preset. Returns whether it is finished."""
        keras.utils.set_random_seed(self.seed + 1)
        captioner = Captioner.from_preset(preset)
        captioner.image_encoder.trainable = True
        run["stage"] = "Fine-tuning"
        return self._run_cross_entropy(
            captioner, caches, folder, self.fine_tune_epochs, self.fine_tune_learning_rate, **run
        )

    def train_self_critical(self, preset, caches, folder, **run):
        """Runs the third stage from a preset. Returns whether it is finished."""
        keras.utils.set_random_seed(self.seed + 2)
        captioner = Captioner.from_preset(preset)
        captioner.image_encoder.trainable = self.self_critical_blocks > 0
        train, dev = self._encode_further(captioner.image_encoder, caches, folder)
        model = self._on_features(captioner, self.self_critical_blocks)
        sequence = SelfCriticalSequence(
            FeatureSequence(train, model.preprocessor, self.batch_size, seed=self.seed + 2),
            model,
            model.preprocessor.get_special_tokens(),
            samples=self.samples,
            seed=self.seed,
        )
        schedule = keras.optimizers.schedules.CosineDecay(
            self.self_critical_learning_rate, self.self_critical_epochs * len(sequence), alpha=0.1
        )
        average = self.self_critical_average
        model.compile(
            optimizer=keras.optimizers.AdamW(
                schedule,
                weight_decay=0.0,
                clipnorm=self.clipnorm,
                use_ema=average > 0,
                ema_momentum=average,
            ),
            loss=SelfCriticalLoss(sequence.special_tokens.suppressed_token_ids),
            weighted_metrics=[],
        )
        run["stage"] = "Self-critical"
        return self._run(captioner, model, sequence, dev, folder, self.self_critical_epochs, **run)

    def _encode_further(self, image_encoder, caches, folder):
        """Applies the blocks that the second stage trains and the third does not to the caches."""
        if self.self_critical_blocks == self.fine_tune_blocks:
            return caches
        start, _ = image_encoder.split(self.fine_tune_blocks)
        end, _ = image_encoder.split(self.self_critical_blocks)
        between = keras.Model(start.output, end.output)
        # Another second stage gives another encoder, and so other feature maps.
        name = f"features_{compute_encoder_digest(between).split()[-1]}"
        return [
            encode_feature_cache(between, cache, pathlib.Path(folder) / name / split)
            for split, cache in zip(("train", "dev"), caches, strict=True)
        ]

    def _on_features(self, captioner, blocks):
        """Creates a captioner of cached feature maps, which shares the encoder's upper part."""
        warn_of_slow_float16(self.dtype)
        set_dtype_policy(captioner, self.dtype)
        _, upper = captioner.image_encoder.split(blocks)
        return captioner.with_image_encoder(upper)

    def _run_cross_entropy(self, captioner, caches, folder, epochs, learning_rate, **run):
        model = self._on_features(captioner, self.fine_tune_blocks)
        sequence = FeatureSequence(caches[0], model.preprocessor, self.batch_size, seed=self.seed)
        steps = epochs * len(sequence)
        warmup = min(self.warmup_steps, steps // 4)
        schedule = keras.optimizers.schedules.CosineDecay(
            0.0, steps - warmup, warmup_target=learning_rate, warmup_steps=warmup
        )
        model.compile(
            optimizer=keras.optimizers.AdamW(
                schedule, weight_decay=self.weight_decay, clipnorm=self.clipnorm, beta_2=0.98
            ),
            loss=SmoothedCrossEntropy(self.label_smoothing),
        )
        return self._run(captioner, model, sequence, caches[1], folder, epochs, **run)

    def _run(
        self,
        captioner,
        model,
        sequence,
        dev_cache,
        folder,
        epochs,
        stage,
        stop_after=None,
        tensorboard=False,
    ):
        training = CaptionerTraining(
            model,
            sequence,
            folder,
            evaluate=lambda: score_features(model, dev_cache),
            save_preset=captioner.save_to_preset,
            tensorboard=tensorboard,
            stage=stage,
        )
        return training.run(epochs, stop_after)


def _get_image_encoder(start):
    """Returns the encoder that the training starts from; see `train_captioner`."""
    if not isinstance(start, Captioner):
        return start
    encoder = start.image_encoder
    if not isinstance(encoder, ImageEncoder):
        raise ValueError(
            "Training in stages needs a captioner with an `ImageEncoder`, whose last blocks can be "
            "split off. Fine-tune other captioners with `fine_tune_captioner` (`mmfusion train "
            f"captioner --preset`). Received an encoder of type {type(encoder).__name__}"
        )
    return encoder


def train_captioner(
    recipe,
    start,
    train,
    dev,
    out,
    work=None,
    features=None,
    restart=False,
    stop_after=None,
    tensorboard=False,
):
    """Trains a captioner by a recipe and writes its preset; resumes an interrupted run.

    Data, encoder, settings and code version are recorded in `work`. A run is resumed only if all
    of them are unchanged; otherwise an error lists the differences. This includes `epochs`, since
    the learning rate schedule depends on it. The settings of stages that have not started can be
    changed.

    Args:
        recipe: `CaptionerRecipe`.
        start: pretrained `ImageEncoder`, for a new captioner; or `Captioner` with such an encoder,
            to train a copy of it further. The recipe's settings of the decoder then do not apply,
            and the vocabulary is extended by the frequent words of `train` (`extend_vocabulary`).
        train, dev: `CaptionPairs`. The vocabulary is learned from `train`; `dev` selects the best
            epoch.
        out: string or path. Folder of the resulting preset.
        work: string or path. Folder of checkpoints and logs. Defaults to `out` with the suffix
            `.training`.
        features: string or path. Folder of the cached feature maps. Defaults to a folder in
            `work`.
        restart: bool. Whether to discard an earlier run in `work` and start over. Matching feature
            maps are kept.
        stop_after: float. Seconds after which to write a checkpoint and stop.
        tensorboard: bool. Whether to write TensorBoard events to `work`.

    Returns:
        True if the preset is written, False if `stop_after` was reached first.

    Raises:
        ValueError: if `work` or `features` contains results of other data, settings or code, or
            if `out` contains something other than a preset.
        MissingExtraError: if `tensorboard` is set and tensorboardX is not installed.
    """
    out = pathlib.Path(out)
    check_preset_target(out)
    _get_image_encoder(start).split(
        recipe.fine_tune_blocks
    )  # Raise errors before discarding anything.
    if tensorboard:
        require_tensorboard()
    work = pathlib.Path(work or f"{out}.training")
    captioner_run = CaptionerRun(recipe, start, train, dev, work)
    if restart:
        captioner_run.discard()
    captioner_run.check()
    if captioner_run.has_written(out):
        inform(f"This run is finished: its preset is in {out}.")
        return True
    caches = recipe.cache_features(start, train, dev, features or work / "features", restart)
    captioner_run.record()
    captions = [caption for each in train.captions for caption in each]
    folder = work / CROSS_ENTROPY
    run = {"stop_after": stop_after, "tensorboard": tensorboard}
    if not recipe.train_cross_entropy(start, captions, caches, folder, **run):
        return False
    later_stages = (
        (recipe.fine_tune_epochs, recipe.fine_tune, FINE_TUNING),
        (recipe.self_critical_epochs, recipe.train_self_critical, SELF_CRITICAL),
    )
    for epochs, train_stage, name in later_stages:
        if epochs:
            best, folder = folder / BEST, work / name
            if not train_stage(best, caches, folder, **run):
                return False
    model = Captioner.from_preset(folder / BEST)
    set_dtype_policy(model, "float32")
    model.save_to_preset(out)
    captioner_run.record(out)
    return True
