"""CMU-MOSEI and CMU-MOSI: sentiment in videos, as computational sequences of the SDK."""

import os
import pathlib

from keras_mmfusion.datasets.sentiment.labeled_segments import read_computational_sequences

HOME = "The files are those of CMU-MultimodalSDK, github.com/CMU-MultiComp-Lab/CMU-MultimodalSDK."


def read_cmu_mosei(
    folder,
    text="CMU_MOSEI_TimestampedWordVectors.csd",
    audio="CMU_MOSEI_COVAREP.csd",
    video="CMU_MOSEI_VisualFacet42.csd",
    labels="CMU_MOSEI_Labels.csd",
    words="CMU_MOSEI_TimestampedWords.csd",
    video_ids=None,
    align=True,
):
    """Reads CMU-MOSEI's computational sequences; see `read_computational_sequences`.

    Args:
        folder: string or path. Where the `.csd` files are.
        text: string. The file of the words' vectors.
        audio: string. The file of the sound's features.
        video: string. The file of the faces' features.
        labels: string. The file of the segments, their sentiment and their emotions.
        words: string. The file of the words themselves; texts are `""` if it is not there.
        video_ids: collection of strings. Which videos to read, such as a fold of
            `read_standard_folds`; all that have labels by default.
        align: bool. Whether to average audio and video over words.

    Returns:
        `SentimentSequences` of `"text"`, `"audio"` and `"video"`.

    Raises:
        ValueError: if a file is missing or not as it must be; the message names it.

    Reference:
        Zadeh et al., "Multimodal Language Analysis in the Wild: CMU-MOSEI Dataset and Interpretable
        Dynamic Fusion Graph", 2018.
    """
    return _read_folder(folder, text, audio, video, labels, words, video_ids, align)


def read_cmu_mosi_sequences(
    folder,
    text="CMU_MOSI_TimestampedWordVectors.csd",
    audio="CMU_MOSI_COVAREP.csd",
    video="CMU_MOSI_Visual_Facet_42.csd",
    labels="CMU_MOSI_Opinion_Labels.csd",
    words="CMU_MOSI_TimestampedWords.csd",
    video_ids=None,
    align=True,
):
    """Reads CMU-MOSI's computational sequences; see `read_computational_sequences`.

    Args:
        folder, text, audio, video, labels, words, video_ids, align: as for `read_cmu_mosei`.

    Returns:
        `SentimentSequences` of `"text"`, `"audio"` and `"video"`.

    Raises:
        ValueError: if a file is missing or not as it must be; the message names it.

    Reference:
        Zadeh et al., "MOSI: Multimodal Corpus of Sentiment Intensity and Subjectivity Analysis in
        Online Opinion Videos", 2016.
    """
    return _read_folder(folder, text, audio, video, labels, words, video_ids, align)


def _read_folder(folder, text, audio, video, labels, words, video_ids, align):
    folder = pathlib.Path(os.path.expanduser(folder))
    missing = [name for name in (text, audio, video, labels) if not (folder / name).is_file()]
    if missing:
        raise ValueError(
            f"`folder` must have the files {text}, {audio}, {video} and {labels}. Missing: "
            f"{', '.join(missing)}. {HOME} Received: folder={str(folder)!r}"
        )
    return read_computational_sequences(
        {"text": folder / text, "audio": folder / audio, "video": folder / video},
        folder / labels,
        words=folder / words if (folder / words).is_file() else None,
        video_ids=video_ids,
        align_to="text" if align else None,
    )
