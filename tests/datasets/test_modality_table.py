import json
import wave

import keras
import numpy as np
import pytest
from photos import photo
from PIL import Image

from keras_mmfusion import FusionBlock
from keras_mmfusion.datasets import (
    ArrayColumn,
    AudioColumn,
    CategoryColumn,
    ImageColumn,
    NumberColumn,
    RecordColumns,
    TextColumn,
    multimodal_dataset,
    multimodal_table_dataset,
    read_multimodal_table,
)
from keras_mmfusion.encoders import TableEncoder, TokenEncoder, VectorEncoder
from keras_mmfusion.models import FusionModel

tensorflow = pytest.importorskip("tensorflow")

COLUMNS = {
    "photo": ImageColumn(image_size=(8, 12)),
    "review": TextColumn("text"),
    "sound": AudioColumn("sound", sample_rate=8000, frame_length=4),
    "pose": ArrayColumn(shape=(None, 3)),
    "style": ArrayColumn(shape=(2,)),
    "record": RecordColumns(NumberColumn("price"), CategoryColumn("brand", classes=("a", "b"))),
    "location": NumberColumn(size=2),
    "brand": CategoryColumn(classes=("a", "b")),
}
HEADER = "split,photo,text,sound,pose,style,price,brand,location,stars"
FULL = "train,0.jpg,Good.,0.wav,0.npy,s.npy,20,b,1 -2,5"


def write_wav(path, samples, rate=8000, channels=1, width=2):
    with wave.open(str(path), "wb") as file:
        file.setparams((channels, width, rate, 0, "NONE", "not compressed"))
        file.writeframes(np.asarray(samples, f"<i{width}").tobytes())


@pytest.fixture
def folder(tmp_path):
    for index in range(2):
        Image.fromarray(photo(8, 12, phase=index)).save(tmp_path / f"{index}.jpg", quality=95)
        np.save(tmp_path / f"{index}.npy", np.full((2 + index, 3), index + 1, "int16"))
    write_wav(tmp_path / "0.wav", [16384] * 6)
    write_wav(tmp_path / "1.wav", [-32768, 0] * 9, channels=2)
    np.save(tmp_path / "s.npy", np.array([0.5, -1.0]))
    return tmp_path


def table(folder, *rows, name="t.csv"):
    path = folder / name
    path.write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8-sig")
    return path


def test_all_modalities_and_masks_are_batched(folder):
    rows = FULL, "train,,,,,,,,,2", "train,1.jpg,Zwölf,1.wav,1.npy,s.npy,,a,0 0.5,1"
    dataset = multimodal_table_dataset(
        table(folder, *rows), COLUMNS, NumberColumn("stars"), shuffle=False, cache=True
    )
    for _ in range(2):
        ((inputs, stars),) = dataset.as_numpy_iterator()
    assert sorted(inputs) == sorted([*COLUMNS, *(f"{name}_mask" for name in COLUMNS)])
    assert stars.tolist() == [[5], [2], [1]]
    assert inputs["photo"].dtype == "uint8" and not inputs["photo"][1].any()
    assert np.abs(inputs["photo"][2].astype(int) - photo(8, 12, phase=1)).mean() < 4
    assert [text.decode() for text in inputs["review"]] == ["Good.", "", "Zwölf"]
    assert inputs["sound"].shape == (3, 3, 4)
    assert inputs["sound"][0].tolist() == [[0.5] * 4, [0.5, 0.5, 0, 0], [0] * 4]
    assert inputs["sound"][2].tolist() == [[-0.5] * 4, [-0.5] * 4, [-0.5, 0, 0, 0]]
    assert inputs["sound_mask"].tolist() == [[True, True, False], [False] * 3, [True] * 3]
    assert inputs["pose"][:, :, 0].tolist() == [[1, 1, 0], [0] * 3, [2] * 3]
    assert inputs["pose_mask"].tolist() == [[True, True, False], [False] * 3, [True] * 3]
    assert inputs["style"].tolist() == [[0.5, -1], [0, 0], [0.5, -1]]
    np.testing.assert_array_equal(inputs["record"], [[20, 1], [np.nan] * 2, [np.nan, 0]])
    assert inputs["location"].tolist() == [[1, -2], [0, 0], [0, 0.5]]
    assert inputs["brand"].tolist() == [[1], [0], [0]]
    for name in ("photo", "review", "style", "record", "location", "brand"):
        assert inputs[f"{name}_mask"].tolist() == [True, False, True], name


def test_batch_without_a_modality_has_a_masked_token(folder):
    dataset = multimodal_table_dataset(table(folder, "train,,only text,,,,,,,1"), COLUMNS)
    (inputs,) = dataset.as_numpy_iterator()
    assert inputs["pose"].shape == (1, 1, 3) and inputs["sound"].shape == (1, 1, 4)
    assert not inputs["pose_mask"].any() and not inputs["sound_mask"].any()


def test_files_without_tokens_are_missing_modalities(folder):
    np.save(folder / "0.npy", np.zeros((0, 3), "float32"))
    write_wav(folder / "0.wav", [])
    rows = read_multimodal_table(table(folder, FULL), COLUMNS)
    assert not rows.masks["pose"].any() and not rows.masks["sound"].any()
    assert rows.masks["photo"].all()


def test_reads_json_lines(folder):
    lines = [
        {"text": "a", "location": [1, 2], "brand": "b", "liked": True},
        {"text": None, "location": None, "liked": False},
    ]
    path = folder / "t.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    columns = {name: COLUMNS[name] for name in ("review", "location", "brand")}
    label = CategoryColumn("liked", classes=("false", "true"))
    ((inputs, liked),) = multimodal_table_dataset(path, columns, label, shuffle=False)
    assert inputs["location"].numpy().tolist() == [[1, 2], [0, 0]]
    assert inputs["brand_mask"].numpy().tolist() == [True, False]
    assert liked.numpy().tolist() == [[1], [0]]


def test_classes_may_be_booleans_and_numbers(folder):
    (folder / "t.csv").write_text("liked,stars\nfalse,1\ntrue,0\n")
    (folder / "t.jsonl").write_text('{"liked": false, "stars": 1}\n{"liked": true, "stars": 0}')
    columns = {
        "liked": CategoryColumn(classes=(False, True)),
        "stars": CategoryColumn(classes=np.array([0, 1])),
    }
    for name in ("t.csv", "t.jsonl"):
        values = read_multimodal_table(folder / name, columns).values
        assert [x.tolist() for x in values["liked"]] == [[0], [1]]
        assert [x.tolist() for x in values["stars"]] == [[1], [0]]


def test_splits_and_subsets_of_the_rows(folder):
    path = table(folder, FULL, FULL.replace("train", "test"), FULL.replace("Good", "Bad"))
    rows = read_multimodal_table(path, COLUMNS, NumberColumn("stars"), split="train")
    assert len(rows) == 2 and rows.values["review"] == ["Good.", "Bad."]
    part = rows.select(np.array([False, True]))
    assert part.values["review"] == ["Bad."] and len(part) == len(part.labels) == 1
    with pytest.raises(ValueError, match="`split` must be a value of .*: 'train', 'test'.*'dev'"):
        read_multimodal_table(path, COLUMNS, split="dev")


def test_whitespace_around_split_names_is_ignored(folder):
    path = table(folder, FULL.replace("train", " train"), FULL.replace("train", "test "))
    for split in ("train", " train", "test", "test "):
        assert len(read_multimodal_table(path, COLUMNS, split=split)) == 1
    lines = '{"split": " dev", "text": "a"}\n{"split": "dev", "text": "b"}'
    (folder / "t.jsonl").write_text(lines)
    texts = {"review": TextColumn("text")}
    assert len(read_multimodal_table(folder / "t.jsonl", texts, split="dev ")) == 2


def test_reads_data_frame(folder, monkeypatch):
    pandas = pytest.importorskip("pandas")
    monkeypatch.chdir(folder)
    frame = pandas.DataFrame(
        {
            "split": ["train", " train", "test"],
            "photo": ["0.jpg", None, folder / "1.jpg"],
            "text": ["Good.", float("nan"), "Zwölf"],
            "location": [np.array([1, 2]), None, [3.5, 4]],
            "brand": [1, None, 0],
            "price": pandas.array([20, None, 3], "Int64"),
            "stars": [5, 4, 1],
        },
        index=["a", "b", "c"],
    )
    columns = {name: COLUMNS[name] for name in ("photo", "review", "location")}
    columns |= {"brand": CategoryColumn(classes=("0", "1")), "price": NumberColumn()}
    rows = read_multimodal_table(frame, columns, NumberColumn("stars"))
    assert rows.values["review"] == ["Good.", "", "Zwölf"]
    assert [x.tolist() for x in rows.values["location"]] == [[1, 2], [0, 0], [3.5, 4]]
    assert [x.tolist() for x in rows.values["brand"]] == [[1], [0], [0]]
    assert [x.tolist() for x in rows.values["price"]] == [[20], [0], [3]]
    assert [x.tolist() for x in rows.labels] == [[5], [4], [1]]
    assert all(mask.tolist() == [True, False, True] for mask in rows.masks.values())
    assert len(read_multimodal_table(frame, columns, split="train")) == 2
    ((inputs, stars),) = multimodal_table_dataset(
        frame, columns, NumberColumn("stars"), shuffle=False
    ).as_numpy_iterator()
    assert inputs["photo_mask"].tolist() == [True, False, True] and stars[0] == 5
    with pytest.raises(
        ValueError, match="Invalid cells in The DataFrame: row c, column 'text': 'Zwölf' mu"
    ):
        read_multimodal_table(frame, {"text": NumberColumn()}, split="test")
    with pytest.raises(ValueError, match="The DataFrame has no column 'smell'"):
        read_multimodal_table(frame, {"smell": TextColumn()})
    with pytest.raises(ValueError, match=r"repeated columns: \['text'\]"):
        read_multimodal_table(frame[["text", "text"]], {"text": TextColumn()})


def test_repr_shows_the_sizes(folder):
    rows = read_multimodal_table(table(folder, *[FULL] * 50), COLUMNS, NumberColumn("stars"))
    assert repr(rows) == f"MultimodalRows(rows=50, columns={list(COLUMNS)}, label='stars')"


@pytest.mark.parametrize("cache", [False, True])
def test_epochs_are_shuffled_differently_and_reproducibly(folder, cache):
    path = table(folder, *(FULL.replace(",20,", f",{price},") for price in range(12)))
    rows = read_multimodal_table(path, {"photo": COLUMNS["photo"], "price": NumberColumn()})

    def epochs(seed):
        dataset = multimodal_dataset(rows, batch_size=5, seed=seed, cache=cache)
        return [[int(x) for batch in dataset for x in batch["price"][:, 0]] for _ in range(3)]

    first = epochs(seed=5)
    assert all(sorted(epoch) == list(range(12)) for epoch in first)
    assert len(set(map(tuple, first))) == 3
    assert epochs(seed=5) == first != epochs(seed=6)


@pytest.mark.parametrize(
    ("column", "cell", "message"),
    [
        ("photo", "9.jpg", "there is no file '9.jpg'"),
        ("sound", "0.jpg", "is not an uncompressed .wav file"),
        ("sound", "fast.wav", "8000 Hz and 16 bits, not 16000 Hz and 16 bits"),
        ("sound", "fine.wav", "8000 Hz and 16 bits, not 8000 Hz and 32 bits"),
        ("pose", "0.jpg", "is not a .npy file"),
        ("pose", "s.npy", r"shape \(None, 3\) .*, not \(2,\) and float64"),
        ("style", "0.npy", r"shape \(2,\) .*, not \(2, 3\) and int16"),
        ("pose", "objects.npy", "is not a .npy file"),
        ("pose", "all.npz", "contains several arrays"),
        ("price", "cheap", r"'cheap' must be 1 finite number"),
        ("price", "nan", r"'nan' must be 1 finite number"),
        ("location", "1", r"'1' must be 2 finite number"),
        ("brand", "c", "'c' is not one of the classes a, b"),
        ("stars", " ", "a label is missing"),
    ],
)
def test_error_names_the_line_and_column_of_invalid_cells(folder, column, cell, message):
    write_wav(folder / "fast.wav", [0], rate=16000)
    write_wav(folder / "fine.wav", [0], width=4)
    np.save(folder / "objects.npy", np.array([{}]), allow_pickle=True)
    np.savez(folder / "all.npz", np.ones((2, 3)))
    cells = dict(zip(HEADER.split(","), FULL.split(","), strict=True))
    path = table(folder, FULL, ",".join({**cells, column: cell}.values()))
    with pytest.raises(
        ValueError, match=f"Invalid cells in .*t.csv': line 3, column '{column}': .*{message}"
    ):
        read_multimodal_table(path, COLUMNS, NumberColumn("stars"))


def test_error_counts_the_invalid_cells(folder):
    path = table(folder, *[FULL.replace("0.jpg", "none.jpg")] * 5)
    with pytest.raises(ValueError, match="line 2, .*; line 3, .*; line 4, .*; and 2 more"):
        read_multimodal_table(path, COLUMNS)


def test_invalid_tables_are_rejected(folder):
    def read(columns=COLUMNS, label=None, rows=(FULL,)):
        read_multimodal_table(table(folder, *rows), columns, label)

    with pytest.raises(ValueError, match="no column 'smell', 'taste'. Its columns: 'split', 'ph"):
        read({"smell": TextColumn(), "sour": NumberColumn("taste")})
    with pytest.raises(ValueError, match="since it has no rows"):
        read(rows=())
    for row in (FULL + ",1", "train,0.jpg"):
        with pytest.raises(ValueError, match="line 3: expected 10 cells.* found"):
            read(rows=(FULL, row))
    with pytest.raises(ValueError, match="must have a name"):
        read(label=NumberColumn())
    (folder / "t.jsonl").write_text('{"text": "\\ud83d"}\n{"text": 3}')
    with pytest.raises(
        ValueError, match="line 1, column 'text': .*surrogates.*line 2.*3 is not a string"
    ):
        read_multimodal_table(folder / "t.jsonl", {"text": TextColumn()})
    (folder / "t.csv").write_bytes(b"text\nna\xefve\n")
    with pytest.raises(ValueError, match="t.csv' is not UTF-8: line 2 has the byte 0xef.*Latin-1"):
        read_multimodal_table(folder / "t.csv", {"text": TextColumn()})


def test_invalid_columns_are_rejected():
    with pytest.raises(ValueError, match="`classes` must have .* no repetition"):
        CategoryColumn(classes=("a", "a"))
    with pytest.raises(ValueError, match="`shape` must be a tuple"):
        ArrayColumn(shape=(3, None))
    with pytest.raises(ValueError, match="each with a name"):
        RecordColumns(NumberColumn())
    with pytest.raises(ValueError, match=r"`classes` must be a list of strings.*'ab'"):
        CategoryColumn(classes="ab")


def test_columns_must_be_a_dict(folder):
    with pytest.raises(ValueError, match="`columns` must be a dict, modality -> column"):
        read_multimodal_table(table(folder, FULL), "text")


def test_fusion_model_trains_and_ignores_missing_modalities(folder):
    missing = "train,,,,,,,,,1"
    path = table(folder, FULL, missing, FULL.replace("Good", "Bad").replace(",5", ",0"), missing)
    names = "photo", "review", "sound", "record", "style"
    columns = {name: COLUMNS[name] for name in names}
    rows = read_multimodal_table(path, columns, NumberColumn("stars"))
    words = keras.layers.TextVectorization(output_sequence_length=4)
    words.adapt(rows.values["review"])
    dataset = multimodal_dataset(rows, batch_size=2, shuffle=False).map(
        lambda x, y: ({**x, "review": words(x["review"])}, y)
    )
    layers = keras.layers
    image = [layers.Rescaling(1 / 255), layers.Conv2D(8, 4, 4), layers.Reshape((-1, 8))]
    encoders = {
        "photo": keras.Sequential(image),
        "review": TokenEncoder(8, vocabulary_size=words.vocabulary_size()),
        "sound": VectorEncoder(8),
        "record": TableEncoder(8, columns=(None, 2)),
        "style": VectorEncoder(8),
    }
    model = FusionModel(encoders, FusionBlock(names, dim=8), keras.layers.Dense(1))
    model.compile("adam", "mse", run_eagerly=True)
    history = model.fit(dataset, epochs=2, verbose=0, shuffle=False).history
    assert np.isfinite(history["loss"]).all()
    outputs = model.predict(dataset, verbose=0)
    np.testing.assert_allclose(outputs[1], outputs[3], rtol=1e-6)
    assert abs(outputs[0] - outputs[1]) > 1e-4


def test_numeric_classes_match_integers_and_floats():
    for classes in ((0, 1), (0.0, 1.0)):
        column = CategoryColumn("x", classes=classes)
        assert [column.parse(cell, "").item() for cell in (1, 1.0, np.float32(0))] == [1, 1, 0]
        with pytest.raises(ValueError, match="not one of the classes"):
            column.parse(0.5, "")
    assert CategoryColumn("x", classes=(0, 1)).parse("1", "").item() == 1
    with pytest.raises(ValueError, match="`classes` must be a list"):
        CategoryColumn("x", classes=None)


def test_other_column_types_are_rejected(tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("x,y\na,1\n")
    with pytest.raises(ValueError, match="column of 'x' must be a column, such as TextColumn()"):
        read_multimodal_table(table, {"x": TextColumn})
    with pytest.raises(ValueError, match="column of 'label' must be a column.* Received: 'y'"):
        read_multimodal_table(table, {"x": TextColumn()}, label="y")
