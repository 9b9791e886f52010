"""Reads CMU-MOSEI and CMU-MOSI from the computational sequences of CMU-MultimodalSDK."""

import os
import pathlib

from keras_mmfusion.datasets.sentiment.labeled_segments import read_computational_sequences

HOME = "Download them with CMU-MultimodalSDK: github.com/CMU-MultiComp-Lab/CMU-MultimodalSDK."


def read_cmu_mosei(
    data_dir,
    text="CMU_MOSEI_TimestampedWordVectors.csd",
    audio="CMU_MOSEI_COVAREP.csd",
    video="CMU_MOSEI_VisualFacet42.csd",
    labels="CMU_MOSEI_Labels.csd",
    words="CMU_MOSEI_TimestampedWords.csd",
    video_ids=None,
    align=True,
):
    """Reads the computational sequences of CMU-MOSEI; see `read_computational_sequences`.

    Args:
        data_dir: string or path. The folder of the `.csd` files.
        text: string. The name of the file with word vectors.
        audio: string. The name of the file with acoustic features.
        video: string. The name of the file with facial features.
        labels: string. The name of the file with segments, sentiment and emotions.
        words: string. The name of the file with the words. Transcripts are `""` if it is missing.
        video_ids: collection of strings. The videos to read, such as a fold of
            `read_standard_folds`. Defaults to all labeled videos.
        align: bool. Whether to average audio and video features over words.

    Returns:
        `SentimentSequences` with the modalities `"text"`, `"audio"` and `"video"`.

    Raises:
        ValueError: if a file is missing or invalid; the message names the file.

    Reference:
        Zadeh et al., "Multimodal Language Analysis in the Wild: CMU-MOSEI Dataset and Interpretable
        Dynamic Fusion Graph", 2018.
    """
    return _read_folder(data_dir, text, audio, video, labels, words, video_ids, align)


def read_cmu_mosi_sequences(
    data_dir,
    text="CMU_MOSI_TimestampedWordVectors.csd",
    audio="CMU_MOSI_COVAREP.csd",
    video="CMU_MOSI_Visual_Facet_42.csd",
    labels="CMU_MOSI_Opinion_Labels.csd",
    words="CMU_MOSI_TimestampedWords.csd",
    video_ids=None,
    align=True,
):
    """Reads the computational sequences of CMU-MOSI; see `read_computational_sequences`.

    Args:
        data_dir, text, audio, video, labels, words, video_ids, align: see `read_cmu_mosei`.

    Returns:
        `SentimentSequences` with the modalities `"text"`, `"audio"` and `"video"`.

    Raises:
        ValueError: if a file is missing or invalid; the message names the file.

    Reference:
        Zadeh et al., "MOSI: Multimodal Corpus of Sentiment Intensity and Subjectivity Analysis in
        Online Opinion Videos", 2016.
    """
    return _read_folder(data_dir, text, audio, video, labels, words, video_ids, align)


def _read_folder(data_dir, text, audio, video, labels, words, video_ids, align):
    folder = pathlib.Path(os.path.expanduser(data_dir))
    missing = [name for name in (text, audio, video, labels) if not (folder / name).is_file()]
    if missing:
        raise ValueError(
            f"`data_dir` must contain {text}, {audio}, {video} and {labels}. Missing: "
            f"{', '.join(missing)}. {HOME} Received: data_dir={str(folder)!r}"
        )
    return read_computational_sequences(
        {"text": folder / text, "audio": folder / audio, "video": folder / video},
        folder / labels,
        words=folder / words if (folder / words).is_file() else None,
        video_ids=video_ids,
        align_to="text" if align else None,
    )
