import dataclasses

import numpy as np
import pytest
from PIL import Image

from keras_mmfusion.datasets import VideoQuestionAnswers
from keras_mmfusion.models.question_answering import evaluate_video_question_answering


class BrightnessModel:
    """Answers with the brightness of the last frame over 10."""

    num_frames = 3

    def answer(self, videos, questions, batch_size):
        frames = list(videos)
        assert all(len(video) == 3 for video in frames) and len(frames) == len(questions)
        return [str(round(float(np.mean(video[-1])) / 10)) for video in frames]


class ChoosingModel(BrightnessModel):
    """Answers with the brightness of the last frame over 10, or with the last choice."""

    def answer(self, videos, questions, batch_size, choices=None):
        answers = super().answer(videos, questions, batch_size)
        return answers if choices is None else [each[-1] for each in choices]


@pytest.fixture
def data(tmp_path):
    """GIFs of two frames, the last of brightness 30, 120 and 50; the fourth is damaged."""
    paths = []
    for index, brightness in enumerate((30, 120, 50, 70)):
        paths.append(str(tmp_path / f"{index}.gif"))
        frames = [Image.new("RGB", (4, 4), (value,) * 3) for value in (0, brightness)]
        frames[0].save(paths[-1], save_all=True, append_images=frames[1:])
    (tmp_path / "3.gif").write_bytes(b"GIF8 damaged")
    return VideoQuestionAnswers(
        paths,
        ["how many?", "how many times?", "what?", "what?"],
        [["3"], ["8"], ["5"], ["7"]],
        ["a", "b", "c", "d"],
        [{"task": "frameqa"}, {"task": "count"}, {"task": "count"}, {"task": "frameqa"}],
    )


def test_scores_by_type_and_unreadable_videos(data):
    result = evaluate_video_question_answering(BrightnessModel(), data)
    assert result.metrics == {
        "accuracy": 2 / 3,
        "accuracy[task=count]": 0.5,
        "accuracy[task=frameqa]": 1.0,
        "mean_squared_error[task=count]": 2.0,  # 12 is limited to 10.
    }
    assert result.protocol["questions_with_unreadable_video"] == 1
    assert [sample["answer"] for sample in result.samples] == ["3", "12", "5"]


def test_questions_with_choices_are_answered_by_a_choice(data):
    data = dataclasses.replace(data, choices=[["2", "3"], [], ["5", "6"], ["6", "7"]])
    result = evaluate_video_question_answering(ChoosingModel(), data)
    assert [sample["answer"] for sample in result.samples] == ["3", "12", "6"]
    assert result.protocol["questions_answered_by_a_choice"] == 2  # The fourth is not readable.
    result = evaluate_video_question_answering(BrightnessModel(), data)
    assert [sample["answer"] for sample in result.samples] == ["3", "12", "5"]
    assert result.protocol["questions_answered_by_a_choice"] == 0


def test_models_of_images_and_unreadable_data_are_rejected(data, tmp_path):
    with pytest.raises(ValueError, match="`model` must accept videos.*Received: object"):
        evaluate_video_question_answering(object(), data)
    for path in data.images:
        with open(path, "wb") as file:
            file.write(b"GIF8 damaged")
    (tmp_path / "no_frames").mkdir()
    data.images[0] = str(tmp_path / "no_frames")
    with pytest.raises(ValueError, match="has no video that can be read"):
        evaluate_video_question_answering(BrightnessModel(), data)
