"""Fine-tunes a pretrained captioner on custom photos, and scores it before and after.

    python examples/fine_tune_captioner.py --photos FOLDER --captions captions.csv --out mine

`captions.csv` has the columns `image` (a file in the folder) and `caption`; an image may have
several rows. `--short` uses a few generated images and takes less than a minute. The vocabulary is
that of the preset: other words are learned as unknown words.
"""

import argparse
import csv
import pathlib
import tempfile

import keras
from PIL import Image, ImageDraw

from keras_mmfusion.datasets import CaptionPairs, caption_dataset, read_image_caption_pairs
from keras_mmfusion.models.captioning import evaluate_captioner
from keras_mmfusion.zoo import captioner


def draw_images(folder, count=24):
    """Draws squares and circles in a folder, with a table of captions; returns the table's path."""
    table = folder / "captions.csv"
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "caption"])
        for number in range(count):
            color = ("red", "blue", "green")[number % 3]
            is_shirt = number % 2 == 1
            picture = Image.new("RGB", (160, 120), "white")
            draw = ImageDraw.Draw(picture)
            (draw.rectangle if is_shirt else draw.ellipse)((50, 30, 110, 90), fill=color)
            picture.save(folder / f"{number}.png")
            thing = "shirt" if is_shirt else "ball"
            writer.writerow([f"{number}.png", f"A {color} {thing} on a white background ."])
            writer.writerow([f"{number}.png", f"There is a {color} {thing} ."])
    return table


def split_pairs(pairs, dev_share=0.1):
    """Splits `CaptionPairs` into training pairs and the last ones for scoring."""
    count = max(1, round(len(pairs) * dev_share))
    return pairs.take(len(pairs) - count), CaptionPairs(
        pairs.images[-count:], pairs.captions[-count:]
    )


def fine_tune(preset, pairs, epochs, learning_rate, batch_size, out):
    """Fine-tunes the decoder of a preset and writes a new preset.

    Args:
        preset: string. A preset for `keras_mmfusion.zoo.captioner`.
        pairs: `CaptionPairs`.
        epochs, learning_rate, batch_size: settings of the training.
        out: path of the preset folder to write.

    Returns:
        The fine-tuned model.
    """
    train, dev = split_pairs(pairs)
    model = captioner(preset)
    model.image_encoder.trainable = False
    model.compile(optimizer=keras.optimizers.AdamW(learning_rate, clipnorm=1.0))
    report("before", model, dev)

    image_size = model.image_encoder.image_size
    model.fit(
        caption_dataset(train, batch_size, image_size, augment=True),
        validation_data=caption_dataset(dev, batch_size, image_size, shuffle=False),
        epochs=epochs,
        verbose=2,
    )
    report("after", model, dev)
    model.save_to_preset(out)
    print(f"Wrote the preset to {out}")
    return model


def report(when, model, dev):
    """Prints scores on photos that are not used in training, and one caption."""
    results = evaluate_captioner(model, dev, metrics=("bleu", "cider"))
    scores = ", ".join(f"{name} {value:.3f}" for name, value in results.metrics.items())
    print(f"{when}: {scores}; e.g. {results.samples[0]['caption']!r}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--photos", type=pathlib.Path, help="folder of photos")
    parser.add_argument("--captions", type=pathlib.Path, help="CSV with columns image, caption")
    parser.add_argument("--preset", default="captioner_flickr8k_lite0")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--learning-rate", type=float, default=1e-4)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("my_captioner"))
    parser.add_argument("--short", action="store_true", help="use a few generated images")
    args = parser.parse_args()
    if args.short:
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            pairs = read_image_caption_pairs(str(folder), str(draw_images(folder)))
            fine_tune(args.preset, pairs, 2, args.learning_rate, 8, folder / "preset")
        return
    if args.photos is None or args.captions is None:
        parser.error("pass --photos and --captions, or --short")
    pairs = read_image_caption_pairs(str(args.photos), str(args.captions))
    fine_tune(args.preset, pairs, args.epochs, args.learning_rate, args.batch_size, args.out)


if __name__ == "__main__":
    main()
