"""`mmfusion train`: models from data folders, in one command."""

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Train models on your own data.")


@app.callback()
def train():
    """Train models on your own data."""


@app.command()
def captioner(
    data: Annotated[str, typer.Option(help="Folder in Flickr8k's or MS COCO captions' layout.")],
    out: Annotated[str, typer.Option(help="Preset folder to write.")],
    encoder: Annotated[str, typer.Option(help="Image encoder preset.")] = (
        "efficientnet_lite2_imagenet"
    ),
    train_split: Annotated[str, typer.Option(help="The split to train on.")] = "train",
    dev_split: Annotated[str, typer.Option(help="The split that picks the best epoch.")] = "dev",
    features: Annotated[str, typer.Option(help="Folder for the images' feature maps.")] = None,
    work: Annotated[str, typer.Option(help="Folder for checkpoints and logs.")] = None,
    features_only: Annotated[bool, typer.Option(help="Write the feature maps and stop.")] = False,
    stop_after: Annotated[float, typer.Option(help="Seconds after which to pause.")] = None,
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

    Run again on the same folders, it goes on where it was stopped. Exit status 3 says that
    `--stop-after` was reached and there is more to do.
    """
    from keras_mmfusion.datasets.caption_folder import read_caption_folder
    from keras_mmfusion.models.captioning.captioner_recipe import CaptionerRecipe, train_captioner
    from keras_mmfusion.zoo import image_encoder as load_image_encoder

    recipe = CaptionerRecipe(
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
    train, dev = read_caption_folder(data, train_split), read_caption_folder(data, dev_split)
    encoder_model = load_image_encoder(encoder)
    if features_only:
        if features is None:
            raise ValueError("`--features-only` needs `--features`, the folder to write.")
        recipe.cache_features(encoder_model, train, dev, features)
        return
    if not train_captioner(
        recipe,
        encoder_model,
        train,
        dev,
        out,
        work,
        features,
        stop_after=stop_after,
        tensorboard=tensorboard,
    ):
        typer.echo("Paused; run the same command to go on.")
        raise typer.Exit(3)
    typer.echo(f"Wrote the preset to {out}")
