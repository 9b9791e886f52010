"""Training and scoring of fusion models on a table."""

import keras
import numpy as np
import pytest
from PIL import Image

from keras_mmfusion.datasets import (
    CategoryColumn,
    ImageColumn,
    NumberColumn,
    RecordColumns,
    TextColumn,
    read_multimodal_table,
)
from keras_mmfusion.models.fusion import (
    FusionRecipe,
    evaluate_fusion,
    predict_fusion,
    train_fusion,
)

pd = pytest.importorskip("pandas")
pytest.importorskip("tensorflow")
RECIPE = FusionRecipe(dim=8, epochs=40, learning_rate=0.02, vocabulary_size=50, dropout=0.0)
WORDS = np.array(["Broken again!", "works well"])
COLUMNS = {
    "notes": TextColumn(),
    "place": CategoryColumn(classes=("in", "out")),
    "record": RecordColumns(NumberColumn("age"), CategoryColumn("kind", classes=("p", "q"))),
}


def make_table(count=24):
    """A table in which notes, or the record where they are missing, determine the label."""
    rng = np.random.default_rng(0)
    label = np.arange(count) % 2
    notes = WORDS[label].astype(object)
    notes[::5] = None
    return pd.DataFrame(
        {
            "notes": notes,
            "place": rng.choice(["in", "out"], count),
            "age": 40 * label + rng.normal(size=count),
            "kind": rng.choice(["p", "q"], count),
            "fails": np.where(label == 0, "yes", "no"),
            "cost": 2.0 * label + 5,
        }
    )


def read(label):
    return read_multimodal_table(make_table(), COLUMNS, label)


def test_classifier_learns_from_a_table_with_missing_cells(tmp_path):
    rows = read(CategoryColumn("fails", classes=("yes", "no")))
    model = train_fusion(RECIPE, rows)
    result = evaluate_fusion(model, rows)
    assert result.metrics["accuracy"] == 1
    assert result.samples[0] == {"label": "yes", "prediction": "yes"}
    assert result.protocol["missing"] == {"notes": 5, "place": 0, "record": 0}
    assert list(result.table["metrics"]) == ["accuracy", "macro_f1", "weighted_f1"]

    model.save_to_preset(tmp_path / "preset")
    loaded = type(model).from_preset(tmp_path / "preset")
    np.testing.assert_allclose(predict_fusion(loaded, rows), predict_fusion(model, rows), atol=1e-5)


def test_regression_learns_numbers():
    rows = read(NumberColumn("cost"))
    result = evaluate_fusion(train_fusion(RECIPE, rows), rows)
    assert result.metrics["mae"] < 0.5
    assert result.metrics["mae"] <= result.metrics["rmse"]


def test_images_get_a_default_or_a_custom_encoder(tmp_path):
    for index, color in enumerate(("red", "blue")):
        Image.new("RGB", (32, 32), color).save(tmp_path / f"{index}.png")
    table = tmp_path / "table.csv"
    table.write_text("photo,kind\n" + "0.png,a\n1.png,b\n,b\n" * 2)
    rows = read_multimodal_table(
        table, {"photo": ImageColumn(image_size=(32, 32))}, CategoryColumn("kind", ("a", "b"))
    )
    recipe = FusionRecipe(dim=8, epochs=1)
    assert predict_fusion(train_fusion(recipe, rows), rows).shape == (6, 2)
    custom = keras.Sequential(
        [keras.layers.Rescaling(1 / 255), keras.layers.Conv2D(8, 32), keras.layers.Reshape((1, 8))]
    )
    model = train_fusion(recipe, rows, {"photo": custom})
    assert model.encoders["photo"] is custom


def test_rows_without_labels_are_an_error():
    rows = read_multimodal_table(make_table(), COLUMNS)
    with pytest.raises(ValueError, match="`rows` must have labels"):
        train_fusion(RECIPE, rows)


def test_invalid_settings_are_errors():
    with pytest.raises(ValueError, match="`vocabulary_size` must be an integer of at least 2"):
        FusionRecipe(vocabulary_size=1)
