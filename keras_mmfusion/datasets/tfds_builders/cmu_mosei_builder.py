"""CMU-MOSEI for TensorFlow Datasets."""

import math
import os

import numpy as np

from keras_mmfusion.datasets.sentiment.cmu_sdk import read_cmu_mosei
from keras_mmfusion.datasets.sentiment.computational_sequence import ComputationalSequence
from keras_mmfusion.datasets.sentiment.standard_folds import read_standard_folds
from keras_mmfusion.datasets.tfds_builders.folder_builder import FolderBuilder, tfds

# Of the word vectors, COVAREP's and Facet's features in the published files.
DIMS = {"text": 300, "audio": 74, "video": 35}
VIDEOS_IN_A_PART = 32
LABELS, FOLDS = "CMU_MOSEI_Labels.csd", "cmu_mosei_std_folds.py"


class CmuMosei(FolderBuilder):
    """Builder of CMU-MOSEI, aligned to words, `tfds.load("cmu_mosei")`: an example a segment.

    An example has the tokens of `"text"`, `"audio"` and `"video"`, float32 `(tokens, dim)`, a mask
    of each, such as `"audio_mask"`, bool `(tokens,)`, its `"sentiment"` from -3 to 3, its six
    `"emotions"` from 0 to 3, and what is said, `"transcript"`. The splits are the folds of the
    SDK. The folder `manual_dir` is as `read_cmu_mosei` takes it, with `cmu_mosei_std_folds.py`.

    Args:
        data_dir, version, file_format: as for every builder of TensorFlow Datasets.
    """

    MANUAL_DOWNLOAD_INSTRUCTIONS = """
    The .csd files CMU_MOSEI_TimestampedWords, CMU_MOSEI_TimestampedWordVectors, CMU_MOSEI_COVAREP,
    CMU_MOSEI_VisualFacet42 and CMU_MOSEI_Labels, which CMU-MultimodalSDK fetches, and its file of
    folds, cmu_mosei_std_folds.py, all in `manual_dir`:
    https://github.com/CMU-MultiComp-Lab/CMU-MultimodalSDK
    """

    def _info(self):
        text = tfds.features.Text()
        features = {"segment_id": text, "video_id": text, "transcript": text}
        for name, dim in DIMS.items():
            features[name] = tfds.features.Tensor(shape=(None, dim), dtype=np.float32)
            features[f"{name}_mask"] = tfds.features.Tensor(shape=(None,), dtype=np.bool_)
        features["sentiment"] = tfds.features.Scalar(np.float32)
        features["emotions"] = tfds.features.Tensor(shape=(6,), dtype=np.float32)
        return tfds.core.DatasetInfo(
            builder=self,
            description="Sentiment and emotions of 23,500 sentences of 1,000 people on video.",
            features=tfds.features.FeaturesDict(features),
            homepage="http://multicomp.cs.cmu.edu/resources/cmu-mosei-dataset/",
        )

    def _split_generators(self, dl_manager):
        folder = os.fspath(dl_manager.manual_dir)
        with ComputationalSequence(os.path.join(folder, LABELS)) as labels:
            known = set(labels.videos)
        splits = {}
        for split, videos in read_standard_folds(os.path.join(folder, FOLDS)).items():
            videos = sorted(set(videos) & known)
            parts = np.array_split(videos, math.ceil(len(videos) / VIDEOS_IN_A_PART) or 1)
            parts = [(folder, part.tolist()) for part in parts]
            splits[split] = self._generate_examples(parts, segments_of_videos)
        return splits


def segments_of_videos(part):
    """The examples of a folder and names of videos in it."""
    folder, videos = part
    data = read_cmu_mosei(folder, video_ids=videos)
    if data.emotions is None:
        raise ValueError(f"{LABELS} in {folder!r} must have seven features, not a sentiment alone.")
    for row, segment_id in enumerate(data.segment_ids.tolist()):
        example = {
            "segment_id": segment_id,
            "video_id": data.video_ids[row],
            "transcript": data.texts[row],
            "sentiment": data.labels[row],
            "emotions": data.emotions[row],
        }
        for name in DIMS:
            example[name] = data.tokens[name][row]
            example[f"{name}_mask"] = data.masks[name][row]
        yield segment_id, example
