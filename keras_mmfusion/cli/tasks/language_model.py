"""Language models: train with dialogues."""

import pathlib
from typing import Annotated

import typer

from keras_mmfusion.cli import options
from keras_mmfusion.models.presets.preset_target import check_preset_target


def train(
    preset: Annotated[
        str,
        typer.Option(
            help="Language model to train: folder of a preset or of a public checkpoint, .gguf "
            "file, or hf:// handle."
        ),
    ],
    dialogues: Annotated[
        pathlib.Path,
        typer.Option(help="JSON lines of dialogues, in the layout of LLaVA or of OpenAI."),
    ],
    dev_dialogues: Annotated[
        pathlib.Path, typer.Option(help="JSON lines of other dialogues, to select the best epoch.")
    ],
    out: Annotated[str, typer.Option(help="Preset folder to write.")],
    lora_rank: Annotated[
        int, typer.Option(help="Train only low-rank adapters of this rank (0: none).")
    ] = 0,
    pack: Annotated[
        bool, typer.Option("--pack", help="Join short dialogues, which avoids padding.")
    ] = False,
    epochs: options.Epochs = 3,
    batch_size: options.BatchSize = 8,
    learning_rate: options.LearningRate = 1e-4,
    seed: options.Seed = 0,
):
    """Train a language model with dialogues.

    Prints where the model was saved. Only the answers are learned. The dialogues consist of text.

    Example:
      mmfusion train language-model --preset hf://HuggingFaceTB/SmolLM2-135M-Instruct --dialogues
      train.jsonl --dev-dialogues dev.jsonl --lora-rank 8 --out my_model
    """
    from keras_mmfusion.datasets import read_dialogues

    check_preset_target(out)
    train_dialogues, dev = read_dialogues(dialogues), read_dialogues(dev_dialogues)

    from keras_mmfusion.cli.fit_progress import FitProgress
    from keras_mmfusion.models.language import LanguageModelRecipe, train_language_model
    from keras_mmfusion.zoo import language_model

    recipe = LanguageModelRecipe(
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        lora_rank=lora_rank,
        pack=pack,
        seed=seed,
    )
    model = language_model(preset)
    train_language_model(recipe, model, train_dialogues, dev, out, callbacks=[FitProgress()])
    typer.echo(out)
