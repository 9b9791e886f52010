"""Written by `python -m keras_mmfusion._write_stubs`; do not edit."""

from keras_mmfusion.zoo.download import DownloadError as DownloadError
from keras_mmfusion.zoo.factories import captioner as captioner
from keras_mmfusion.zoo.factories import embedder as embedder
from keras_mmfusion.zoo.factories import image_encoder as image_encoder
from keras_mmfusion.zoo.factories import language_model as language_model
from keras_mmfusion.zoo.movie_encoders import load_item_features as load_item_features
from keras_mmfusion.zoo.factories import load_preset as load_preset
from keras_mmfusion.zoo.factories import recommender as recommender
from keras_mmfusion.zoo.presets import resolve_preset as resolve_preset
from keras_mmfusion.zoo.factories import sentiment as sentiment
from keras_mmfusion.zoo.factories import vqa as vqa
