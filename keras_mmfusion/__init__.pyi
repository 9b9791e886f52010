"""Written by `python -m keras_mmfusion._write_stubs`; do not edit."""

from keras_mmfusion.models import Captioner as Captioner
from keras_mmfusion.models import ContrastiveModel as ContrastiveModel
from keras_mmfusion.models import ConversationModel as ConversationModel
from keras_mmfusion.layers import CrossModalAttention as CrossModalAttention
from keras_mmfusion.layers import FusionBlock as FusionBlock
from keras_mmfusion.models import FusionModel as FusionModel
from keras_mmfusion.layers.graph import GCNLayer as GCNLayer
from keras_mmfusion.models import GraphCaptioner as GraphCaptioner
from keras_mmfusion.models import ImageCaptioningModel as ImageCaptioningModel
from keras_mmfusion.encoders import ImageEncoder as ImageEncoder
from keras_mmfusion.models import Recommender as Recommender
from keras_mmfusion.models import TextDecoder as TextDecoder
from keras_mmfusion.models import TransformerCaptioner as TransformerCaptioner
from keras_mmfusion import calibration as calibration
from keras_mmfusion import checkpoints as checkpoints
from keras_mmfusion import datasets as datasets
from keras_mmfusion import demo as demo
from keras_mmfusion import encoders as encoders
from keras_mmfusion import explain as explain
from keras_mmfusion import layers as layers
from keras_mmfusion.models import load_model as load_model
from keras_mmfusion import losses as losses
from keras_mmfusion import metrics as metrics
from keras_mmfusion import models as models
from keras_mmfusion import serving as serving
from keras_mmfusion import zoo as zoo

__version__: str
