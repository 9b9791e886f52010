"""`mmfusion train`: models from data folders, in one command."""

import dataclasses
import pathlib
from typing import Annotated

import typer

from keras_mmfusion.cli.interruption import says_how_to_resume
from keras_mmfusion.cli.quiet_import import import_keras

PAUSED = 3  # Exit status.

app = typer.Typer(no_args_is_help=True, help="Train models on your own data.")


@app.callback()
def train():
    """Train models on your own data."""


@app.command()
def captioner(
    out: Annotated[str, typer.Option(help="Preset folder to write.")],
    data: Annotated[
        str | None, typer.Option(help="Folder in Flickr8k's or MS COCO captions' layout.")
    ] = None,
    train_split: Annotated[
        str | None, typer.Option(help="The split of --data to train on; train if not given.")
    ] = None,
    dev_split: Annotated[
        str | None,
        typer.Option(help="The split of --data that picks the best epoch; dev if not given."),
    ] = None,
    images: Annotated[
        pathlib.Path | None, typer.Option(help="Instead of --data: a folder of images.")
    ] = None,
    captions: Annotated[
        pathlib.Path | None,
        typer.Option(
            help="With --images: a CSV file with the columns image and caption, a row a caption; "
            "or JSON lines."
        ),
    ] = None,
    dev_captions: Annotated[
        pathlib.Path | None,
        typer.Option(help="With --images: the table of the images that pick the best epoch."),
    ] = None,
    dev_images: Annotated[
        pathlib.Path | None, typer.Option(help="Their folder; that of --images if not given.")
    ] = None,
    dev_fraction: Annotated[
        float | None,
        typer.Option(
            help="Instead of --dev-captions: the share of the images, such as 0.1, that picks the "
            "best epoch and is not trained on. It is drawn by image, always the same."
        ),
    ] = None,
    encoder: Annotated[str, typer.Option(help="Image encoder preset.")] = (
        "efficientnet_lite2_imagenet"
    ),
    features: Annotated[str, typer.Option(help="Folder for the images' feature maps.")] = None,
    work: Annotated[str, typer.Option(help="Folder for checkpoints and logs.")] = None,
    features_only: Annotated[bool, typer.Option(help="Write the feature maps and stop.")] = False,
    restart: Annotated[
        bool,
        typer.Option(
            help="Discard what an earlier run left, and start over. Feature maps that fit are kept."
        ),
    ] = False,
    stop_after: Annotated[float, typer.Option(min=0, help="Seconds after which to pause.")] = None,
    tensorboard: Annotated[
        bool, typer.Option(help="Write events for TensorBoard beside the logs.")
    ] = False,
    dim: Annotated[int, typer.Option(help="Token size of the decoder.")] = 384,
    layers: Annotated[int, typer.Option(help="Blocks of the decoder.")] = 3,
    heads: Annotated[int, typer.Option(help="Attention heads of the decoder.")] = 6,
    dropout: Annotated[float, typer.Option(help="Dropout of the decoder.")] = 0.2,
    graph_layers: Annotated[
        int, typer.Option(help="Graph convolutions over the image tokens; 0 for none.")
    ] = 0,
    epochs: Annotated[int, typer.Option(help="Epochs of cross-entropy.")] = 8,
    learning_rate: Annotated[float, typer.Option(help="Peak learning rate.")] = 8e-4,
    fine_tune_epochs: Annotated[
        int, typer.Option(help="Epochs of cross-entropy with the encoder's last blocks.")
    ] = 0,
    fine_tune_blocks: Annotated[
        int, typer.Option(help="Blocks of the encoder that the second stage trains.")
    ] = 4,
    self_critical_epochs: Annotated[int, typer.Option(help="Epochs of CIDEr reward.")] = 0,
    self_critical_blocks: Annotated[
        int, typer.Option(help="Blocks of the encoder that the CIDEr reward trains; 0 for none.")
    ] = 0,
    self_critical_average: Annotated[
        float, typer.Option(help="Momentum of the average of its weights; 0 for none.")
    ] = 0.0,
    batch_size: Annotated[int, typer.Option(help="Images of a batch.")] = 32,
    views: Annotated[int, typer.Option(help="Versions of a training image.")] = 3,
    dtype: Annotated[str, typer.Option(help="Dtype policy, e.g. mixed_bfloat16.")] = "float32",
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
):
    """Train a captioner: its decoder, optionally the encoder's last blocks, then by CIDEr reward.

    Run again with the same data and settings, it goes on where it was stopped; with others, it
    says what differs. Exit status 3 says that `--stop-after` was reached and there is more to do.
    """
    from keras_mmfusion.cli.caption_data import read_train_and_dev
    from keras_mmfusion.models.captioning.training.captioner_settings import CaptionerSettings
    from keras_mmfusion.models.captioning.training.training_log import require_tensorboard
    from keras_mmfusion.models.presets.preset_target import check_preset_target
    from keras_mmfusion.zoo.presets import resolve_preset

    # What can be wrong with the arguments, before TensorFlow is imported.
    settings = CaptionerSettings(
        dim=dim,
        num_layers=layers,
        num_heads=heads,
        dropout=dropout,
        graph_layers=graph_layers,
        epochs=epochs,
        learning_rate=learning_rate,
        fine_tune_epochs=fine_tune_epochs,
        fine_tune_blocks=fine_tune_blocks,
        self_critical_epochs=self_critical_epochs,
        self_critical_blocks=self_critical_blocks,
        self_critical_average=self_critical_average,
        batch_size=batch_size,
        views=views,
        dtype=dtype,
        seed=seed,
    )
    if features_only and features is None:
        raise ValueError("`--features-only` needs `--features`, the folder to write.")
    if tensorboard:
        require_tensorboard()
    check_preset_target(out)
    train, dev = read_train_and_dev(
        data, train_split, dev_split, images, captions, dev_images, dev_captions, dev_fraction
    )
    resolve_preset(encoder)

    goes_on = "the same command" + (", without `--restart`," if restart else "") + " goes on"
    with says_how_to_resume(f"{goes_on} from the last checkpoint"):
        import_keras()
        from keras_mmfusion.models.captioning.training.captioner_recipe import (
            CaptionerRecipe,
            train_captioner,
        )
        from keras_mmfusion.zoo import image_encoder as load_image_encoder

        recipe = CaptionerRecipe(**dataclasses.asdict(settings))
        encoder_model = load_image_encoder(encoder)
        if features_only:
            recipe.cache_features(encoder_model, train, dev, features, restart)
            return
        done = train_captioner(
            recipe,
            encoder_model,
            train,
            dev,
            out,
            work,
            features,
            restart=restart,
            stop_after=stop_after,
            tensorboard=tensorboard,
        )
    if not done:
        typer.echo(f"Paused; {goes_on}.")
        raise typer.Exit(PAUSED)
    typer.echo(f"The preset is in {out}")
