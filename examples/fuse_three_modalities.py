"""Fuses three modalities, removes one, and shows which ones the model uses.

    python examples/fuse_three_modalities.py

The data are generated: whether a machine is about to fail, from a technician's note (word ids),
sensor readings over time, and a table row. The cause of a failure shows in only one of the three
modalities. `--short` uses fewer samples.
"""

import argparse

import keras
import numpy as np

from keras_mmfusion import FusionBlock
from keras_mmfusion.encoders import TableEncoder, TokenEncoder
from keras_mmfusion.models import FusionModel

MODALITIES = ("notes", "sensors", "record")
FAILURE_WORDS, VOCABULARY, WORDS = (7, 8, 9), 40, 6
TIMES, SENSORS = 12, 4
MODELS = 5


def make_data(count, rng):
    """Generates samples, labels, and the index of the modality that shows the cause.

    Returns:
        A tuple of a dict of arrays, labels `(count,)` and indices `(count,)`.
    """
    labels = rng.integers(2, size=count)
    cause = rng.integers(len(MODALITIES), size=count)
    notes = rng.integers(10, VOCABULARY, size=(count, WORDS))
    sensors = rng.normal(size=(count, TIMES, SENSORS))
    record = np.stack([rng.normal(size=count), rng.integers(1, MODELS, size=count)], axis=1)

    shows = [(cause == number) & (labels == 1) for number in range(len(MODALITIES))]
    notes[shows[0], :2] = rng.choice(FAILURE_WORDS, size=(shows[0].sum(), 2))
    sensors[shows[1], TIMES // 2 :, 0] += 2.5  # One sensor drifts.
    record[shows[2], 1] = 0  # The machine type that is known for failures.
    record[rng.random(count) < 0.05, 0] = np.nan  # Some ages are unknown.
    data = {
        "notes": notes.astype("int32"),
        "sensors": sensors.astype("float32"),
        "record": record.astype("float32"),
    }
    return data, labels, cause


def make_model(data):
    """Creates a model with an encoder for each modality, gated fusion, and a logit."""
    model = FusionModel(
        encoders={
            "notes": TokenEncoder(32, vocabulary_size=VOCABULARY),
            "sensors": TokenEncoder(32),
            "record": TableEncoder(32, columns=(None, MODELS)),
        },
        fusion=FusionBlock(MODALITIES, combine="gated", dim=32),
        head=keras.layers.Dense(1),
        modality_dropout=0.1,
    )
    for name in ("sensors", "record"):
        model.encoders[name].adapt(data[name])
    model.compile(
        keras.optimizers.Adam(5e-3),
        keras.losses.BinaryCrossentropy(from_logits=True),
        metrics=[keras.metrics.BinaryAccuracy(threshold=0.0, name="accuracy")],
        jit_compile=False,
    )
    return model


def accuracy(model, data, labels):
    logits = keras.ops.convert_to_numpy(model(data))[:, 0]
    return np.mean((logits > 0) == labels)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--short", action="store_true", help="fewer samples and epochs")
    args = parser.parse_args()
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    data, labels, _ = make_data(1000 if args.short else 4000, rng)
    test, test_labels, cause = make_data(600, rng)

    model = make_model(data)
    model.fit(data, labels, batch_size=32, epochs=5 if args.short else 12, verbose=2)

    print(f"all three: accuracy {accuracy(model, test, test_labels):.2f}")
    for name in MODALITIES:
        rest = {other: value for other, value in test.items() if other != name}
        print(f"without {name}: accuracy {accuracy(model, rest, test_labels):.2f}")

    shares = keras.ops.convert_to_numpy(model.compute_shares(test))
    print("shares of", ", ".join(MODALITIES))
    for number, name in enumerate(MODALITIES):
        rows = shares[(cause == number) & (test_labels == 1)]
        print(f"  failures that show in {name}:", *(f"{x:.2f}" for x in rows.mean(axis=0)))
    print("  healthy:", *(f"{x:.2f}" for x in shares[test_labels == 0].mean(axis=0)))

    rest = {name: value for name, value in test.items() if name != "notes"}
    mean = keras.ops.convert_to_numpy(model.compute_shares(rest)).mean(axis=0)
    print("  without notes:", *(f"{x:.2f}" for x in mean))


if __name__ == "__main__":
    main()
