import json

import numpy as np
import pytest
from cli.captioned_squares import CAPTIONS, write_coco, write_flickr8k
from metrics.meteor_small_tables import write_tables
from typer.testing import CliRunner

from keras_mmfusion.cli.app import app
from keras_mmfusion.metrics import coco_caption_scores
from keras_mmfusion.metrics.captions import caption_scores
from keras_mmfusion.metrics.meteor import meteor
from keras_mmfusion.models import Captioner
from keras_mmfusion.zoo.manifest import hash_files, list_preset_files


@pytest.fixture(params=[write_flickr8k, write_coco])
def data(request, tmp_path):
    folder = tmp_path / "squares"
    folder.mkdir()
    request.param(folder)
    return folder


def run(data, preset, *arguments):
    """Runs the command and returns it with the results that it wrote, or `None`."""
    target = data.parent / "results.json"
    command = CliRunner().invoke(
        app,
        ["evaluate", "captioner", "--data", str(data), "--preset", preset]
        + ["--json", str(target), *arguments],
    )
    results = json.loads(target.read_text()) if target.exists() else None
    return command, results


FAST = ("--metric", "bleu", "--metric", "cider")


def test_scores_match_those_of_generated_captions(data, captioner_preset):
    command, results = run(data, captioner_preset, "--split", "dev", *FAST)
    folder = data / ("images" if (data / "images").is_dir() else "dev")
    generated = Captioner.from_preset(captioner_preset).generate(
        [str(folder / name) for name in CAPTIONS]
    )
    expected = coco_caption_scores(
        CAPTIONS, dict(zip(CAPTIONS, generated, strict=True)), ("bleu", "cider"), per_image=True
    )

    assert command.exit_code == 0, command.output
    assert [sample["image"] for sample in results["samples"]] == list(CAPTIONS)
    assert [sample["caption"] for sample in results["samples"]] == generated
    assert set(results["samples"][1]) == {"image", "caption", "scores"}
    assert results["samples"][1]["scores"]["cider"] == expected["per_image"]["cider"]["g_2.png"]
    assert set(results["metrics"]) == {"bleu_1", "bleu_2", "bleu_3", "bleu_4", "cider"}
    for name, value in results["metrics"].items():
        np.testing.assert_allclose(value, expected[name])
        assert f"{name:15} {value:.4f}\n" in command.stdout


def test_protocol_is_complete_and_without_paths(data, captioner_preset):
    _, results = run(data, captioner_preset, "--split", "dev", "--beams", "2", *FAST)
    protocol = results["protocol"]

    assert set(results) == {"metrics", "protocol", "table", "samples"}
    assert results["table"]["settings"] == {"Search": "2 beams"}
    assert results["table"]["summary"].startswith("4 images with 8 captions; corpus scores;")
    assert set(results["table"]["metrics"]) == set(results["metrics"])
    assert (protocol["data"], protocol["split"], protocol["limit"]) == ("squares", "dev", None)
    assert (protocol["images"], protocol["captions"]) == (4, 8)
    assert protocol["decoding"] == {"beams": 2, "length_penalty": 0.7, "max_length": 8}
    assert protocol["preset"] == "captioner_small"
    assert protocol["preset_hash"] == hash_files(list_preset_files(captioner_preset))
    assert {"keras_mmfusion", "keras", "keras_hub", "numpy", "python"} <= set(protocol["versions"])
    assert protocol["machine"]["cores"] >= 1
    assert str(data.parent) not in json.dumps(results)
    assert captioner_preset not in json.dumps(results)


def test_limit_uses_first_images(data, captioner_preset):
    limit = ("--limit", "2", "--beams", "1")
    _, results = run(data, captioner_preset, "--split", "dev", *limit, *FAST)

    assert results["table"]["settings"] == {"Search": "greedy"}
    assert results["protocol"]["limit"] == 2
    assert [sample["image"] for sample in results["samples"]] == list(CAPTIONS)[:2]


def test_list_file_as_split(data, captioner_preset):
    chosen = data.parent / "mine.txt"
    chosen.write_text("b_3.png\nr_1.png\n")
    _, results = run(data, captioner_preset, "--split", str(chosen), *FAST)

    assert results["protocol"]["split"] == "mine.txt"
    assert [sample["image"] for sample in results["samples"]] == ["b_3.png", "r_1.png"]


def test_default_metrics_and_meteor_variant(data, captioner_preset, tmp_path, monkeypatch):
    write_tables(tmp_path)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras_home"))
    for module in (caption_scores, meteor):
        monkeypatch.setattr(module, "find_installed_tables", lambda: tmp_path)
    command, results = run(data, captioner_preset, "--split", "dev", "--limit", "1")

    assert {"bleu_4", "meteor", "rouge_l", "cider"} <= set(results["metrics"])
    assert all(isinstance(value, float) for value in results["metrics"].values())
    assert results["protocol"]["meteor"] == "meteor-1.5 (exact stem synonym paraphrase)"
    assert "meteor_variant  meteor-1.5 (exact stem synonym paraphrase)\n" in command.stdout


def test_meteor_without_tables_is_omitted_or_an_error(data, captioner_preset, monkeypatch):
    for module in (caption_scores, meteor):
        monkeypatch.setattr(module, "find_installed_tables", lambda: None)
    command, results = run(data, captioner_preset, "--split", "dev", "--limit", "1")
    assert "METEOR is omitted" in command.stderr and "meteor" not in command.stdout
    assert "meteor" not in {**results["metrics"], **results["protocol"]}

    command, _ = run(data, captioner_preset, "--split", "dev", "--metric", "meteor")
    assert command.exit_code == 2
    assert "pip install pycocoevalcap" in command.stderr


def test_table_and_folder_have_equal_scores(data, captioner_preset):
    folder = data / ("images" if (data / "images").is_dir() else "dev")
    rows = [f'{name},"{text}"' for name, texts in CAPTIONS.items() for text in texts]
    table = data.parent / "captions.csv"
    table.write_text("\n".join(["image,caption", *rows]) + "\n")
    _, expected = run(data, captioner_preset, "--split", "dev", *FAST)
    target = data.parent / "table.json"
    arguments = ["--images", str(folder), "--captions", str(table), "--json", str(target), *FAST]
    command = CliRunner().invoke(
        app, ["evaluate", "captioner", "--preset", captioner_preset, *arguments]
    )
    assert command.exit_code == 0, command.output
    results = json.loads(target.read_text())
    assert results["metrics"] == expected["metrics"]
    assert results["samples"] == expected["samples"]
    protocol = results["protocol"]
    assert (protocol["data"], protocol["split"]) == (folder.name, "captions.csv")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--split", "validation"], "'validation'"),
        ([], "`--data` needs `--split`"),
        (["--split", "dev", "--images", "here"], "`--data` cannot be combined with `--images`"),
        (["--split", "dev", "--metric", "spice"], "unknown names: 'spice'"),
    ],
)
def test_bad_arguments_exit_with_2_and_write_nothing(data, captioner_preset, arguments, message):
    command, results = run(data, captioner_preset, *arguments)

    assert command.exit_code == 2
    assert message in command.stderr
    assert results is None


def test_folder_in_unknown_layout_is_an_error(tmp_path, captioner_preset):
    (tmp_path / "empty").mkdir()
    command, _ = run(tmp_path / "empty", captioner_preset, "--split", "dev")

    assert command.exit_code == 2
    assert "layout of Flickr8k" in command.stderr and "MS COCO" in command.stderr


def test_listed_image_without_annotation_is_named(tmp_path, captioner_preset):
    write_coco(tmp_path)
    (tmp_path / "mine.txt").write_text("r_1.png\nz_9.png\n")
    command, _ = run(tmp_path, captioner_preset, "--split", str(tmp_path / "mine.txt"))

    assert command.exit_code == 2
    assert "'z_9.png'" in command.stderr
