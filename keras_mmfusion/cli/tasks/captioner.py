"""Image captioning: train, evaluate and export a captioner."""

import dataclasses
import enum
from typing import Annotated

import typer

from keras_mmfusion._progress import inform, track
from keras_mmfusion.cli import options
from keras_mmfusion.cli.caption_data import read_pairs_to_score, read_train_and_dev
from keras_mmfusion.cli.exit_codes import PAUSED
from keras_mmfusion.cli.interruption import explain_interruption
from keras_mmfusion.cli.model_files import (
    check_export,
    check_model,
    describe_model,
    load_captioner,
)
from keras_mmfusion.cli.results import report_result
from keras_mmfusion.cli.score import select_metrics
from keras_mmfusion.zoo.presets import resolve_preset

PRESET = "captioner_flickr8k_lite0"
# Options of `train` that describe a new captioner, and do not apply to `--start-from`.
_NEW_CAPTIONER_OPTIONS = {"encoder", "dim", "layers", "heads", "dropout", "graph_layers"}
# Options of `train` that apply to `--preset`; all others describe the training in stages.
_FINE_TUNING_OPTIONS = {
    *("out", "preset", "lora_rank", "freeze_encoder"),
    *("data", "train_split", "dev_split", "images", "captions"),
    *("dev_images", "dev_captions", "dev_fraction"),
    *("epochs", "learning_rate", "batch_size", "dtype", "seed", "quiet"),
}


class Dtype(enum.StrEnum):
    """The compute dtype of an exported captioner, or `int8` for weights stored as int8."""

    FLOAT32 = "float32"
    FLOAT16 = "float16"
    BFLOAT16 = "bfloat16"
    INT8 = "int8"


def train(
    context: typer.Context,
    out: Annotated[str, typer.Option(help="Preset folder to write.")],
    data: options.CaptionFolder = None,
    train_split: options.TrainSplit = None,
    dev_split: options.DevSplit = None,
    images: options.Images = None,
    captions: options.Captions = None,
    dev_captions: options.DevCaptions = None,
    dev_images: options.DevImages = None,
    dev_fraction: options.DevFraction = None,
    preset: Annotated[
        str | None,
        typer.Option(
            help="Fine-tune this captioner instead of training a new one: preset name or folder, "
            ".keras file, folder of a public checkpoint, or hf:// handle."
        ),
    ] = None,
    lora_rank: Annotated[
        int,
        typer.Option(help="With --preset: train only low-rank adapters of this rank (0: none)."),
    ] = 0,
    freeze_encoder: Annotated[
        bool, typer.Option("--freeze-encoder", help="With --preset: freeze the image encoder.")
    ] = False,
    start_from: Annotated[
        str | None,
        typer.Option(
            help="Train this captioner further, in stages, instead of a new one: preset name or "
            "folder. The frequent words of the captions are added to its vocabulary."
        ),
    ] = None,
    encoder: options.Encoder = "efficientnet_lite2_imagenet",
    features: Annotated[
        str | None, typer.Option(help="Folder for cached feature maps. Default: in --work.")
    ] = None,
    work: Annotated[
        str | None,
        typer.Option(help="Folder for checkpoints and logs. Default: --out with .training added."),
    ] = None,
    features_only: Annotated[
        bool, typer.Option("--features-only", help="Write the feature maps and stop.")
    ] = False,
    restart: Annotated[
        bool,
        typer.Option(
            "--restart",
            help="Discard an earlier run in --work and start over. Matching feature maps are kept.",
        ),
    ] = False,
    stop_after: Annotated[
        float | None, typer.Option(min=0, help="Pause after this many seconds (exit status 3).")
    ] = None,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Write TensorBoard events to --work.")
    ] = False,
    dim: options.Dim = 384,
    layers: Annotated[int, typer.Option(help="Number of decoder blocks.")] = 3,
    heads: Annotated[int, typer.Option(help="Number of attention heads of the decoder.")] = 6,
    dropout: options.Dropout = 0.2,
    graph_layers: Annotated[
        int, typer.Option(help="Number of graph convolutions over the image tokens (0: none).")
    ] = 0,
    epochs: Annotated[
        int | None,
        typer.Option(help="Epochs of stage 1, cross-entropy. Default: 8; with --preset 3."),
    ] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(help="Peak learning rate. Default: 8e-4; with --preset 2e-5."),
    ] = None,
    fine_tune_epochs: Annotated[
        int, typer.Option(help="Epochs of stage 2, fine-tuning of the encoder.")
    ] = 0,
    fine_tune_blocks: Annotated[
        int, typer.Option(help="Number of encoder blocks that stage 2 trains.")
    ] = 4,
    self_critical_epochs: Annotated[
        int, typer.Option(help="Epochs of stage 3, self-critical training.")
    ] = 0,
    self_critical_blocks: Annotated[
        int, typer.Option(help="Number of encoder blocks that stage 3 trains (0: none).")
    ] = 0,
    self_critical_average: Annotated[
        float, typer.Option(help="Momentum of the moving average of the weights (0: none).")
    ] = 0.0,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Batch size. Default: 32; with --preset 8.")
    ] = None,
    views: Annotated[
        int, typer.Option(help="Versions per training image: itself and augmented copies.")
    ] = 3,
    dtype: Annotated[str, typer.Option(help="Dtype policy, e.g. mixed_bfloat16.")] = "float32",
    seed: options.Seed = 0,
):
    """Train an image captioner.

    Prints the folder of the preset. Stage 1 trains the decoder with cross-entropy, stage 2 also the
    last blocks of the image encoder, stage 3 maximizes CIDEr-D. The dev set selects the best epoch
    of each stage.

    The same command resumes an interrupted run. If data or settings have changed, it reports the
    differences instead.

    With --start-from, the stages start from a trained captioner, whose vocabulary is extended.

    With --preset, a captioner of any kind is fine-tuned by cross-entropy instead, such as
    hf://Salesforce/blip-image-captioning-base. The dev set selects the best epoch.

    Example:
      mmfusion train captioner --images photos --captions captions.csv \\
        --dev-fraction 0.1 --out my_captioner
    """
    from keras_mmfusion.models.captioning.training.captioner_settings import CaptionerSettings
    from keras_mmfusion.models.captioning.training.training_log import require_tensorboard
    from keras_mmfusion.models.presets.preset_target import check_preset_target

    given = {"epochs": epochs, "learning_rate": learning_rate, "batch_size": batch_size}
    given = {name: value for name, value in given.items() if value is not None}
    if preset is not None:
        _reject(context, "--preset", context.params.keys() - _FINE_TUNING_OPTIONS)
        check_preset_target(out)
        pairs = read_train_and_dev(
            data, train_split, dev_split, images, captions, dev_images, dev_captions, dev_fraction
        )
        given |= {"lora_rank": lora_rank, "freeze_encoder": freeze_encoder}
        _fine_tune(preset, pairs, out, {**given, "dtype": dtype, "seed": seed})
        return
    if lora_rank or freeze_encoder:
        raise ValueError("`--lora-rank` and `--freeze-encoder` need `--preset`.")
    if start_from is not None:
        _reject(context, "--start-from", _NEW_CAPTIONER_OPTIONS)
    settings = CaptionerSettings(
        dim=dim,
        num_layers=layers,
        num_heads=heads,
        dropout=dropout,
        graph_layers=graph_layers,
        fine_tune_epochs=fine_tune_epochs,
        fine_tune_blocks=fine_tune_blocks,
        self_critical_epochs=self_critical_epochs,
        self_critical_blocks=self_critical_blocks,
        self_critical_average=self_critical_average,
        views=views,
        dtype=dtype,
        seed=seed,
        **given,
    )
    if features_only and features is None:
        raise ValueError("`--features-only` needs `--features`, the folder to write.")
    if tensorboard:
        require_tensorboard()
    check_preset_target(out)
    train_pairs, dev_pairs = read_train_and_dev(
        data, train_split, dev_split, images, captions, dev_images, dev_captions, dev_fraction
    )
    resolve_preset(start_from or encoder)

    resumes = "the same command" + (", without `--restart`," if restart else "") + " resumes it"
    with explain_interruption(f"{resumes} from the last checkpoint"):
        from keras_mmfusion.models.captioning.training.captioner_recipe import (
            CaptionerRecipe,
            train_captioner,
        )
        from keras_mmfusion.zoo import captioner, image_encoder

        recipe = CaptionerRecipe(**dataclasses.asdict(settings))
        start = image_encoder(encoder) if start_from is None else captioner(start_from)
        if features_only:
            recipe.cache_features(start, train_pairs, dev_pairs, features, restart)
            return
        is_finished = train_captioner(
            recipe,
            start,
            train_pairs,
            dev_pairs,
            out,
            work,
            features,
            restart=restart,
            stop_after=stop_after,
            tensorboard=tensorboard,
        )
    if not is_finished:
        inform(f"mmfusion: paused; {resumes}")
        raise typer.Exit(PAUSED)
    typer.echo(out)


def _reject(context, option, others):
    """Raises an error if one of the other options was given, which do not apply to an option."""
    given = sorted(
        name for name in others if context.get_parameter_source(name).name == "COMMANDLINE"
    )
    if given:
        other = f"--{given[0].replace('_', '-')}"
        raise ValueError(f"`{other}` describes a new captioner. Omit it, or `{option}`.")


def _fine_tune(preset, pairs, out, settings):
    check_model(preset)

    from keras_mmfusion.cli.fit_progress import FitProgress
    from keras_mmfusion.models.captioning import FineTuningRecipe, fine_tune_captioner

    recipe = FineTuningRecipe(**settings)
    model = load_captioner(preset)
    fine_tune_captioner(recipe, model, *pairs, out, callbacks=[FitProgress("Fine-tuning")])
    typer.echo(out)


def evaluate(
    data: options.CaptionFolder = None,
    split: options.CaptionSplit = None,
    images: options.Images = None,
    captions: options.Captions = None,
    preset: options.Preset = PRESET,
    beams: options.Beams = 4,
    length_penalty: options.LengthPenalty = 0.7,
    limit: options.Limit = None,
    metric: options.Metrics = None,
    batch_size: options.BatchSize = 32,
    json_file: options.JsonFile = None,
):
    """Score an image captioner against reference captions.

    Reports BLEU, METEOR, ROUGE-L and CIDEr-D as in coco-caption.

    Example:
      mmfusion evaluate captioner --data flickr8k --split dev --json scores.json
    """
    metrics = select_metrics(metric)
    pairs, data_protocol = read_pairs_to_score(data, split, images, captions, limit, json_file)
    check_model(preset)

    from keras_mmfusion.models.captioning.training.caption_evaluation import evaluate_captioner

    result = evaluate_captioner(
        load_captioner(preset),
        pairs,
        beams,
        length_penalty,
        metrics,
        batch_size,
        lambda paths: track(paths, "Captioning"),
    )
    report_result(result, {**describe_model(preset), **data_protocol}, json_file)


def export(
    out: options.ExportOut,
    preset: options.Preset = PRESET,
    beams: options.Beams = 4,
    length_penalty: options.LengthPenalty = 0.7,
    dtype: Annotated[
        Dtype,
        typer.Option(help="Compute dtype; int8 stores weights as int8 and computes in float32."),
    ] = Dtype.FLOAT32,
):
    """Export a captioner of raw image files as a SavedModel.

    Prints the folder of the version. The first version is 1; existing versions are never
    overwritten.

    Example:
      mmfusion export captioner --out served/captioner --beams 4
    """
    typer.echo(export_preset(preset, out, beams, length_penalty, dtype))


def export_preset(preset, out, beams, length_penalty=0.7, dtype=Dtype.FLOAT32):
    """Exports a captioner, with its preset in the manifest; returns the path of the version."""
    check_export(preset, out)

    from keras_mmfusion.models.presets.preset_folder import set_dtype_policy

    model = load_captioner(preset)
    if dtype in (Dtype.FLOAT16, Dtype.BFLOAT16):
        set_dtype_policy(model, f"mixed_{dtype}")
        model.compile()
    return model.export(
        out,
        beams=beams,
        length_penalty=length_penalty,
        int8_weights=dtype is Dtype.INT8,
        manifest=describe_model(preset),
    )
