"""Reads MSVD-QA and MSRVTT-QA: questions made from captions of videos."""

import os

from keras_mmfusion.datasets.io.split_names import strip_split_name
from keras_mmfusion.datasets.questions.video_questions import clean_video_questions
from keras_mmfusion.files.json_records import ID, TEXT, JsonFile
from keras_mmfusion.files.text_files import read_lines

_SUFFIXES = (".avi", ".mp4", ".webm", ".mkv", ".mov", ".gif")
_FOLDERS = ("video", "videos", "YouTubeClips", "TrainValVideo", "TestVideo", "")
_MAPPING = "youtube_mapping.txt"
_DOWNLOAD = "Download it from https://github.com/xudejing/video-question-answering."


def read_msvd_qa(data_dir, split="train", skip_missing_videos=False):
    """Reads a split of MSVD-QA from its official files.

    Args:
        data_dir: string or path. A folder with `<split>_qa.json`, `youtube_mapping.txt`, and the
            videos in `video/` or `YouTubeClips/`, such as `video/mv89psg6zh4_33_46.avi`.
        split: string. `"train"`, `"val"` or `"test"`, the part of the file name.
        skip_missing_videos: bool. Whether to drop questions without a video file instead of raising
            an error.

    Returns:
        `VideoQuestionAnswers` with one answer per question, in the order of the file, with the type
        `"question_type"`, the first word: `"what"`, `"who"`, `"how"`, `"when"`, `"where"`.

    Raises:
        ValueError: if a file is missing or damaged, or a video has no name in the mapping.

    Reference:
        Xu et al., "Video Question Answering via Gradually Refined Attention over Appearance and
        Motion", 2017, https://github.com/xudejing/video-question-answering.
    """
    data_dir = os.path.expanduser(data_dir)
    records = _read_records(data_dir, split)
    names = _read_mapping(os.path.join(data_dir, _MAPPING))
    unknown = sorted({each["video_id"] for each in records} - names.keys(), key=str)
    if unknown:
        raise ValueError(
            f"{os.path.join(data_dir, _MAPPING)!r} has no names of the videos {unknown[:3]}. "
            f"{_DOWNLOAD}"
        )
    return _make_questions(data_dir, records, names.get, skip_missing_videos)


def read_msrvtt_qa(data_dir, split="train", skip_missing_videos=False):
    """Reads a split of MSRVTT-QA from its official files.

    Args:
        data_dir: string or path. A folder with `<split>_qa.json`, and the videos in `video/`,
            `TrainValVideo/` or `TestVideo/`, such as `video/video7010.mp4`.
        split, skip_missing_videos: see `read_msvd_qa`.

    Returns:
        See `read_msvd_qa`. Another type is `"category"`, the number of the video's category.

    Raises:
        ValueError: if a file is missing or damaged.

    Reference:
        See `read_msvd_qa`; the videos: Xu et al., "MSR-VTT: A Large Video Description Dataset for
        Bridging Video and Language", 2016.
    """
    data_dir = os.path.expanduser(data_dir)
    records = _read_records(data_dir, split)
    return _make_questions(data_dir, records, lambda i: f"video{i}", skip_missing_videos)


def _read_records(data_dir, split):
    path = os.path.join(data_dir, f"{strip_split_name(split)}_qa.json")
    if not os.path.isfile(path):
        raise ValueError(
            f"`data_dir` must contain {os.path.basename(path)}. Received: "
            f"data_dir={os.fspath(data_dir)!r}. {_DOWNLOAD}"
        )
    file = JsonFile(path, "a list of questions, each with `id`, `video_id`, `question`, `answer`")
    records = file.get_records(id=ID, video_id=ID, question=TEXT, answer=TEXT)
    return file.drop_repeats(records, "id")


def _read_mapping(path):
    """Reads lines of a name and `vid<number>`; returns a dict, number -> name."""
    if not os.path.isfile(path):
        raise ValueError(f"`data_dir` must contain {_MAPPING}. Received: {path!r}. {_DOWNLOAD}")
    names = {}
    for number, line in read_lines(path):
        words = line.split()
        is_valid = len(words) == 2 and words[1].removeprefix("vid").isdecimal()
        if words and not is_valid:
            raise ValueError(
                f"{path!r}, line {number}: expected a name and vid<number>. Received: {line[:80]!r}"
            )
        if words:
            names[int(words[1].removeprefix("vid"))] = words[0]
    return names


def _make_questions(data_dir, records, get_name, skip_missing_videos):
    paths = {}
    rows = []
    for each in records:
        video_id = each["video_id"]
        if video_id not in paths:
            paths[video_id] = _find_video(data_dir, get_name(video_id))
        words = each["question"].split()
        types = {"question_type": words[0].lower() if words else ""}
        if "category_id" in each:
            types["category"] = str(each["category_id"])
        rows.append((each["id"], paths[video_id], each["question"], each["answer"], types, []))
    return clean_video_questions(rows, skip_missing_videos)


def _find_video(data_dir, name):
    """Returns the path of a video, which may not exist."""
    paths = [
        os.path.join(data_dir, folder, name + suffix) for folder in _FOLDERS for suffix in _SUFFIXES
    ]
    return next(filter(os.path.isfile, paths), paths[0])
