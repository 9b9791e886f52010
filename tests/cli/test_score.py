import json

import pytest
import typer
from typer.testing import CliRunner

from keras_mmfusion.cli.score import score
from keras_mmfusion.metrics import score_files
from keras_mmfusion.metrics.captions import caption_scores

app = typer.Typer()
app.command()(score)


@pytest.fixture
def files(tmp_path):
    references, candidates = tmp_path / "references.txt", tmp_path / "candidates.jsonl"
    references.write_text("a.jpg#0\tA dog runs.\na.jpg#1\tThe dog\nb.jpg#0\tTwo cats\n")
    candidates.write_text(
        '{"image_id": "a.jpg", "caption": "a dog"}\n{"image_id": "b.jpg", "caption": "two cats"}\n'
    )
    return str(references), str(candidates)


def test_scores_are_printed_and_written(files, tmp_path, monkeypatch):
    monkeypatch.setattr(caption_scores, "find_installed_tables", lambda: None)
    references, candidates = files
    target = tmp_path / "scores.json"
    arguments = ["--references", references, "--candidates", candidates, "--json", str(target)]
    done = CliRunner().invoke(app, [*arguments, "--per-image"], catch_exceptions=False)
    expected = score_files(references, candidates, ("bleu", "rouge_l", "cider"), per_image=True)
    assert json.loads(target.read_text()) == expected
    assert f"cider           {expected['cider']:.4f}\n" in done.output
    assert "per_image" not in done.output
    assert "mmfusion: METEOR is omitted" in done.stderr and "meteor" not in expected
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".part"] == []


def test_json_file_is_checked_before_scoring(files, tmp_path):
    arguments = ["--references", "no.json", "--candidates", "no.json", "--json"]
    for target, message in (
        (tmp_path, "is a folder"),
        (tmp_path / "no" / "x.json", "existing folder"),
    ):
        with pytest.raises(ValueError, match=f"`--json` must .*{message}"):
            CliRunner().invoke(app, [*arguments, str(target)], catch_exceptions=False)
    with pytest.raises(ValueError, match="`--per-image` needs `--json`"):
        CliRunner().invoke(app, [*arguments[:-1], "--per-image"], catch_exceptions=False)


def test_metrics_can_be_selected(files):
    references, candidates = files
    arguments = ["--references", references, "--candidates", candidates, "--metric", "rouge_l"]
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert [line.split()[0] for line in done.output.splitlines()] == ["images", "rouge_l"]
