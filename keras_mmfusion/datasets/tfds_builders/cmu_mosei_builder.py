"""TensorFlow Datasets builder of CMU-MOSEI."""

import math
import os

import numpy as np

from keras_mmfusion.datasets.sentiment.cmu_sdk import read_cmu_mosei
from keras_mmfusion.datasets.sentiment.computational_sequence import ComputationalSequence
from keras_mmfusion.datasets.sentiment.standard_folds import read_standard_folds
from keras_mmfusion.datasets.tfds_builders.folder_builder import FolderBuilder, tfds

# The dimensions of word vectors, COVAREP and Facet features in the published files.
DIMS = {"text": 300, "audio": 74, "video": 35}
VIDEOS_PER_PART = 32
LABELS, FOLDS = "CMU_MOSEI_Labels.csd", "cmu_mosei_std_folds.py"


class CmuMosei(FolderBuilder):
    """Builder of CMU-MOSEI, aligned to words, for `tfds.load("cmu_mosei")`.

    An example is a segment with the tokens of `"text"`, `"audio"` and `"video"`, float32 `(tokens,
    dim)`, their masks, such as `"audio_mask"`, bool `(tokens,)`, the `"sentiment"` from -3 to 3,
    six `"emotions"` from 0 to 3, and the `"transcript"`. The splits are the folds of the SDK. The
    folder `manual_dir` must contain the files of `read_cmu_mosei` and `cmu_mosei_std_folds.py`.

    Args:
        data_dir, version, file_format: see `tfds.core.DatasetBuilder`.
    """

    MANUAL_DOWNLOAD_INSTRUCTIONS = """
    The .csd files CMU_MOSEI_TimestampedWords, CMU_MOSEI_TimestampedWordVectors, CMU_MOSEI_COVAREP,
    CMU_MOSEI_VisualFacet42 and CMU_MOSEI_Labels, which CMU-MultimodalSDK downloads, and its file
    of folds, cmu_mosei_std_folds.py, all in `manual_dir`:
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
            description="Sentiment and emotions of 23,500 sentences in videos of 1,000 speakers.",
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
            parts = np.array_split(videos, math.ceil(len(videos) / VIDEOS_PER_PART) or 1)
            parts = [(folder, part.tolist()) for part in parts]
            splits[split] = self._generate_examples(parts, generate_segments)
        return splits


def generate_segments(part):
    """Yields the keys and examples of the segments of some videos in a folder."""
    folder, videos = part
    data = read_cmu_mosei(folder, video_ids=videos)
    if data.emotions is None:
        raise ValueError(f"{LABELS} in {folder!r} must have seven features, including emotions.")
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
