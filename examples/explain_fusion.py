"""Explains the predictions of a model of two modalities, and checks the explanations.

    python examples/explain_fusion.py --out figures

The data are generated: whether a parcel is late, from the record of the parcel (distance, weight,
and two columns without meaning) and readings of the traffic on its way. A parcel is late if the
distance is long and the traffic has a jam, so neither modality suffices. `--short` uses fewer
samples.
"""

import argparse
import pathlib

import keras
import numpy as np

from keras_mmfusion import FusionBlock
from keras_mmfusion.encoders import TokenEncoder, VectorEncoder
from keras_mmfusion.explain import (
    Occlusion,
    ShapleyValues,
    SmoothGrad,
    explain,
    explain_dataset,
    explanation_checks,
)
from keras_mmfusion.models import FusionModel

COLUMNS = ["distance", "weight", "customer", "shelf"]
HOURS, SENSORS = 10, 3


def make_parcels(count, rng):
    """Generates inputs, labels, and the hour of the jam, -1 without one."""
    record = rng.normal(size=(count, len(COLUMNS))).astype("float32")
    traffic = rng.normal(scale=0.5, size=(count, HOURS, SENSORS)).astype("float32")
    hours = np.where(rng.random(count) < 0.6, rng.integers(HOURS, size=count), -1)
    has_jam = hours >= 0
    traffic[has_jam, hours[has_jam], 0] += 3.0
    late = (record[:, 0] > 0) & has_jam
    return {"record": record, "traffic": traffic}, late.astype("int32"), hours


def train(data, labels, epochs):
    model = FusionModel(
        {"record": VectorEncoder(32), "traffic": TokenEncoder(32, num_heads=2)},
        FusionBlock(("record", "traffic"), combine="concat", dim=32),
        keras.Sequential([keras.layers.Dense(32, "relu"), keras.layers.Dense(1)]),
    )
    model.compile(
        keras.optimizers.Adam(3e-3),
        keras.losses.BinaryCrossentropy(from_logits=True),
        metrics=[keras.metrics.BinaryAccuracy(threshold=0.0, name="accuracy")],
        jit_compile=False,
    )
    model.fit(data, labels, batch_size=50, epochs=epochs, verbose=0)
    return model


def explain_one(model, sample, folder):
    """Explains a late parcel by its modalities, and by the columns of its record."""
    explanation = explain(model, sample)
    print(f"logit without inputs {explanation.base_value:.2f}, with them {explanation.score:.2f}")
    for name, value in explanation.get_modality_values().items():
        print(f"  {name}: {value:+.2f}")
    print(f"  interaction: {explanation.interactions[0, 1]:+.2f}")
    columns = explain(model, sample, level="feature", labels={"record": COLUMNS})
    for column, value in zip(COLUMNS, columns.values["record"], strict=True):
        print(f"  {column}: {value:+.2f}")
    columns.plot(folder / "record.png")  # A waterfall.
    explain(model, sample, method="occlusion", level="token").plot(folder / "traffic.png")


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("figures"))
    parser.add_argument("--short", action="store_true", help="fewer samples and epochs")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    data, labels, _ = make_parcels(1000 if args.short else 4000, rng)
    model = train(data, labels, 5 if args.short else 15)
    test, test_labels, hours = make_parcels(500, rng)
    print(
        f"accuracy {model.evaluate(test, test_labels, verbose=0, return_dict=True)['accuracy']:.2f}"
    )

    late = np.flatnonzero(test_labels)[: 10 if args.short else 50]
    samples = [{name: values[row] for name, values in test.items()} for row in late]
    explain_one(model, samples[0], args.out)

    contributions = explain_dataset(model, samples)
    for name, each in contributions.summarize().items():
        print(f"{name}: mean {each['mean']:+.2f}, 95% {each['low']:+.2f} to {each['high']:+.2f}")
    contributions.plot(args.out / "contributions.png")

    # The jam decides, so a good method has its highest value of the traffic at the hour of the jam.
    truths = [{"traffic": np.arange(HOURS) == hours[row]} for row in late]
    for method in (Occlusion(), ShapleyValues(samples=4), SmoothGrad()):
        checks = explanation_checks(model, samples, method=method, truths=truths)
        hits = checks.hits["traffic"]
        print(f"{method}: finds the jam in {hits['rate']:.0%}, by chance {hits['chance']:.0%}")


if __name__ == "__main__":
    main()
