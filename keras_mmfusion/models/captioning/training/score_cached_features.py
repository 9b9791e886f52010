import json
import pathlib

import numpy as np

from keras_mmfusion.metrics.captions.caption_scores import coco_caption_scores
from keras_mmfusion.models.captioning.decoding.decoding_settings import DecodingSettings
from keras_mmfusion.models.captioning.training.feature_cache import CAPTIONS_FILE, FEATURES_FILE


def score_features(
    model, folder, beams=1, length_penalty=0.7, metrics=("bleu", "cider"), batch_size=50
):
    """Computes caption scores of a model on a feature cache, for the dev split in training.

    Args:
        model: `Captioner` with a preprocessor, whose encoder takes the features.
        folder: string or path. Folder written by `write_feature_cache`.
        beams, length_penalty: see `DecodingSettings`.
        metrics: names of `coco_caption_scores`.
        batch_size: int.

    Returns:
        A dict of floats.
    """
    folder = pathlib.Path(folder)
    features = np.load(folder / FEATURES_FILE, mmap_mode="r")[0]
    captions = json.loads((folder / CAPTIONS_FILE).read_text("utf-8"))[0]
    settings = DecodingSettings(
        max_length=model.preprocessor.sequence_length, beams=beams, length_penalty=length_penalty
    )
    candidates = []
    for start in range(0, len(features), batch_size):
        batch = features[start : start + batch_size].astype("float32")
        ids, _ = model.generate_tokens(batch, settings, model.preprocessor.get_special_tokens())
        candidates += model.preprocessor.generate_postprocess(ids[:, 0])
    references = {image: list(filter(None, each)) for image, each in enumerate(captions)}
    return coco_caption_scores(references, dict(enumerate(candidates)), metrics)
