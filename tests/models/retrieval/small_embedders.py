"""Small image-text models, and pairs that they can learn."""

import keras
import numpy as np
from keras_hub.layers import ImageConverter
from keras_hub.tokenizers import BertTokenizer

from keras_mmfusion.encoders import TextEncoder
from keras_mmfusion.layers import SharedSpaceProjector
from keras_mmfusion.models import ContrastiveModel, RetrievalPreprocessor

COLORS = {
    "red": (230, 20, 20),
    "green": (20, 200, 20),
    "blue": (30, 30, 240),
    "white": (250, 250, 250),
    "black": (5, 5, 5),
    "yellow": (230, 220, 20),
}
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "square", "##s", "wall", *COLORS]
SENTENCES = [f"a {color} square" for color in COLORS]
SIZE = (16, 16)
# On TensorFlow, tracing a step would take longer than the few steps of a test.
RUN_EAGERLY = keras.config.backend() == "tensorflow"


def make_images():
    """Returns an image of each color, uint8 `(18, 17, 3)`."""
    return [np.broadcast_to(np.array(c), (18, 17, 3)).astype("uint8") for c in COLORS.values()]


def small_preprocessor(sequence_length=6):
    tokenizer = BertTokenizer(WORDS, lowercase=True, strip_accents=True)
    converter = ImageConverter(image_size=SIZE, scale=1 / 128, offset=-127 / 128)
    return RetrievalPreprocessor(tokenizer, converter, sequence_length)


def small_encoders(dtype=None):
    images = keras.Input((*SIZE, 3), name="images")
    features = keras.layers.Conv2D(8, 8, 8, dtype=dtype, name="patches")(images)
    return {
        "image": keras.Model(images, features, name="small_encoder"),
        "text": TextEncoder(
            len(WORDS), 1, 2, 8, 16, dropout=0.0, max_sequence_length=8, dtype=dtype
        ),
    }


def small_embedder(loss=None, preprocessor=True, dtype=None, seed=0):
    keras.utils.set_random_seed(seed)
    projectors = {
        name: SharedSpaceProjector(8, num_heads=2, dtype=dtype) for name in ("image", "text")
    }
    preprocessor = small_preprocessor() if preprocessor else None
    model = ContrastiveModel(small_encoders(dtype), loss, projectors, preprocessor)
    model.compile(run_eagerly=RUN_EAGERLY)
    return model


def preprocess_pairs():
    """Returns all pairs, preprocessed."""
    preprocessor = small_preprocessor()
    x = preprocessor({"image": np.stack(make_images()), "text": SENTENCES})
    return keras.tree.map_structure(keras.ops.convert_to_numpy, x)
