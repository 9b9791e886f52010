"""A captioner from an image encoder and a data set, in up to three stages."""

import dataclasses
import pathlib

import keras
import keras_hub

from keras_mmfusion.layers.graph.convolution.image_graph import ImageGraph
from keras_mmfusion.losses.self_critical_loss import SelfCriticalLoss
from keras_mmfusion.losses.smoothed_cross_entropy import SmoothedCrossEntropy
from keras_mmfusion.models.captioning.captioning_preprocessor import CaptioningPreprocessor
from keras_mmfusion.models.captioning.graph_captioner import GraphCaptioner
from keras_mmfusion.models.captioning.image_captioning_model import ImageCaptioningModel
from keras_mmfusion.models.captioning.text_decoder import TextDecoder
from keras_mmfusion.models.captioning.training.captioner_run import (
    CROSS_ENTROPY,
    FINE_TUNING,
    SELF_CRITICAL,
    CaptionerRun,
)
from keras_mmfusion.models.captioning.training.captioner_settings import CaptionerSettings
from keras_mmfusion.models.captioning.training.captioner_training import BEST, CaptionerTraining
from keras_mmfusion.models.captioning.training.encoder_digest import encoder_digest
from keras_mmfusion.models.captioning.training.feature_cache import (
    FeatureSequence,
    encode_feature_cache,
    feature_facts,
    is_finished,
    remove_unless_of,
    write_feature_cache,
)
from keras_mmfusion.models.captioning.training.score_cached_features import score_features
from keras_mmfusion.models.captioning.training.self_critical import SelfCriticalSequence
from keras_mmfusion.models.captioning.training.training_log import require_tensorboard
from keras_mmfusion.models.captioning.transformer_captioner import TransformerCaptioner
from keras_mmfusion.models.captioning.word_tokenizer import WordTokenizer
from keras_mmfusion.models.presets.preset_folder import set_dtype_policy
from keras_mmfusion.models.presets.preset_target import check_preset_target
from keras_mmfusion.models.presets.slow_float16 import warn_of_slow_float16


@dataclasses.dataclass(frozen=True)
class CaptionerRecipe(CaptionerSettings):
    """Everything that decides how a captioner is trained on top of a pretrained image encoder.

    1. Cross-entropy: the decoder alone.
    2. Fine-tuning: cross-entropy, with the last blocks of the encoder.
    3. Self-critical: by the CIDEr-D of the captions that it draws; the decoder alone, or with the
       last blocks.

    Each stage starts from the best epoch, on dev, of the one before; one with 0 epochs is left
    out. The encoder's lower part is never trained: what it makes of the images is computed once,
    and what the second stage's encoder makes of them once more, for as far as the third leaves it.

    Attributes:
        dim, num_layers, num_heads, dropout: of the `TextDecoder`.
        graph_layers: int. Graph convolutions over the image tokens, those of a `GraphCaptioner`;
            with 0 a `TransformerCaptioner` is trained.
        sequence_length: int. Tokens of a caption, the end included.
        min_count: int. Occurrences in the training captions that put a word into the vocabulary.
        views: int. Versions of each training image: itself and augmented ones.
        batch_size: int. Images of a batch; each brings all its captions.
        epochs: int. Epochs of the first stage: AdamW with warm-up and cosine decay.
        learning_rate, warmup_steps, weight_decay, label_smoothing, clipnorm: of cross-entropy.
        fine_tune_epochs, fine_tune_learning_rate: of the second stage.
        fine_tune_blocks: int. Blocks of the encoder that the second stage trains.
        self_critical_epochs, self_critical_learning_rate: of the third stage.
        self_critical_blocks: int, at most `fine_tune_blocks`. Blocks of the encoder that it trains;
            0 for the decoder alone.
        self_critical_average: float in [0, 1). Momentum, a step, of a moving average of the
            weights in it: the average is what dev scores and what is kept. 0 for none.
        samples: int. Captions drawn of each image in it.
        dtype: string. The dtype policy in training.
        seed: int.
    """

    def cache_features(self, image_encoder, train, dev, folder, restart=False):
        """What the encoder's lower part makes of all images: folders of train and of dev.

        Maps that are there already are used if they are of the same images, captions, encoder and
        settings; of others, an error says what differs, or `restart=True` replaces them.
        """
        lower, _ = image_encoder.split(self.fine_tune_blocks)
        size = image_encoder.image_size
        # Maps of different cuts may have the same shape: each cut has a folder of its own.
        folder = pathlib.Path(folder) / f"below_last_{self.fine_tune_blocks}_blocks"
        caches = (
            (lower, train, folder / "train", size, self.views, self.seed),
            (lower, dev, folder / "dev", size, 1, self.seed),
        )
        for cache in caches:  # All are checked before hours go into the first.
            facts, _ = feature_facts(*cache)
            if restart:
                remove_unless_of(cache[2], facts)
            is_finished(cache[2], facts)
        return tuple(write_feature_cache(*cache) for cache in caches)

    def untrained(self, image_encoder, captions):
        """A captioner with random decoder weights and the vocabulary of the captions."""
        keras.utils.set_random_seed(self.seed)
        image_encoder.trainable = False
        tokenizer = WordTokenizer.from_captions(captions, min_count=self.min_count)
        preprocessor = CaptioningPreprocessor(
            tokenizer,
            keras_hub.layers.ImageConverter(
                image_size=image_encoder.image_size,
                scale=1 / 128,
                offset=-127 / 128,
                antialias=True,
                crop_to_aspect_ratio=False,  # As the training images are resized.
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

    def train_cross_entropy(self, image_encoder, captions, caches, folder, **run):
        """First stage. Returns whether it is done; the best epoch's preset is in `folder`/best."""
        captioner = self.untrained(image_encoder, captions)
        run["stage"] = "Cross-entropy"
        return self._run_cross_entropy(
            captioner, caches, folder, self.epochs, self.learning_rate, **run
        )

    def fine_tune(self, preset, caches, folder, **run):
        """Second stage, from the first one's preset. Returns whether it is done."""
        keras.utils.set_random_seed(self.seed + 1)
        captioner = ImageCaptioningModel.from_preset(preset)
        captioner.image_encoder.trainable = True
        run["stage"] = "Fine-tuning"
        return self._run_cross_entropy(
            captioner, caches, folder, self.fine_tune_epochs, self.fine_tune_learning_rate, **run
        )

    def train_self_critical(self, preset, caches, folder, **run):
        """Third stage, from an earlier one's preset. Returns whether it is done."""
        keras.utils.set_random_seed(self.seed + 2)
        captioner = ImageCaptioningModel.from_preset(preset)
        captioner.image_encoder.trainable = self.self_critical_blocks > 0
        train, dev = self._encode_further(captioner.image_encoder, caches, folder)
        model = self._on_features(captioner, self.self_critical_blocks)
        sequence = SelfCriticalSequence(
            FeatureSequence(train, model.preprocessor, self.batch_size, seed=self.seed + 2),
            model,
            model.preprocessor.special_tokens(),
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
            loss=SelfCriticalLoss(sequence.special_tokens.never_drawn),
            weighted_metrics=[],
        )
        run["stage"] = "Self-critical"
        return self._run(captioner, model, sequence, dev, folder, self.self_critical_epochs, **run)

    def _encode_further(self, image_encoder, caches, folder):
        """Feature maps of those blocks too that the second stage trains and the third does not."""
        if self.self_critical_blocks == self.fine_tune_blocks:
            return caches
        start, _ = image_encoder.split(self.fine_tune_blocks)
        end, _ = image_encoder.split(self.self_critical_blocks)
        between = keras.Model(start.output, end.output)
        # Of another encoder, after more epochs of the second stage, they are others.
        name = f"features_{encoder_digest(between).split()[-1]}"
        return [
            encode_feature_cache(between, cache, pathlib.Path(folder) / name / split)
            for split, cache in zip(("train", "dev"), caches, strict=True)
        ]

    def _on_features(self, captioner, blocks):
        """A captioner of cached feature maps: the encoder's upper part and the same decoder."""
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


def train_captioner(
    recipe,
    image_encoder,
    train,
    dev,
    out,
    work=None,
    features=None,
    restart=False,
    stop_after=None,
    tensorboard=False,
):
    """Runs a recipe from images to preset, from wherever an earlier run on `work` left it.

    The run's data, encoder, settings and code version are recorded in `work`. It goes on only
    with the same ones; anything else is an error that says what differs, so that no result of
    another run is ever taken for this one's. That holds for `epochs` too, since the learning rate
    decays over all of them: a run that is made longer would not be one of that length. A stage
    that has not begun may still be added or changed.

    Args:
        recipe: `CaptionerRecipe`.
        image_encoder: pretrained `ImageEncoder`.
        train, dev: `CaptionPairs`. The vocabulary comes from `train` alone; `dev` picks the epoch.
        out: string or path. The folder of the finished preset.
        work: string or path. Checkpoints and logs. Defaults to `out` with `.training` added.
        features: string or path. The cached feature maps. Defaults to a folder in `work`.
        restart: bool. Whether to discard what an earlier run left in `work` and start over.
            Feature maps are kept if they fit.
        stop_after: float. Seconds after which to write a checkpoint and stop.
        tensorboard: bool. Whether to write events for TensorBoard into `work`.

    Returns:
        True when the preset is written, False when time ran out before.

    Raises:
        ValueError: if `work` or `features` holds results of other data, settings or code, or
            `out` something that is no preset.
        MissingExtraError: if `tensorboard` is set without the package tensorboardX.
    """
    out = pathlib.Path(out)
    check_preset_target(out)
    image_encoder.split(recipe.fine_tune_blocks)  # Raises before anything is discarded.
    if tensorboard:
        require_tensorboard()
    work = pathlib.Path(work or f"{out}.training")
    captioner_run = CaptionerRun(recipe, image_encoder, train, dev, work)
    if restart:
        captioner_run.discard()
    captioner_run.check()
    if captioner_run.has_written(out):
        print(f"Nothing to do: this run is finished, and its preset is in {out}.", flush=True)
        return True
    caches = recipe.cache_features(
        image_encoder, train, dev, features or work / "features", restart
    )
    captioner_run.record()
    captions = [caption for each in train.captions for caption in each]
    folder = work / CROSS_ENTROPY
    run = {"stop_after": stop_after, "tensorboard": tensorboard}
    if not recipe.train_cross_entropy(image_encoder, captions, caches, folder, **run):
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
    model = ImageCaptioningModel.from_preset(folder / BEST)
    set_dtype_policy(model, "float32")
    model.save_to_preset(out)
    captioner_run.record(out)
    return True
