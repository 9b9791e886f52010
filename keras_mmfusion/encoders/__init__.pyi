"""Written by `python -m keras_mmfusion._write_stubs`; do not edit."""

from keras_mmfusion.encoders.aspect_ratio_image_converter import AspectRatioImageConverter as AspectRatioImageConverter
from keras_mmfusion.encoders.image_encoder import ImageEncoder as ImageEncoder
from keras_mmfusion.encoders.pillow_image_converter import PillowImageConverter as PillowImageConverter
from keras_mmfusion.encoders.standardization import Standardization as Standardization
from keras_mmfusion.encoders.swin_transformer import SwinTransformer as SwinTransformer
from keras_mmfusion.encoders.table_encoder import TableEncoder as TableEncoder
from keras_mmfusion.encoders.text_encoder import TextEncoder as TextEncoder
from keras_mmfusion.encoders.text_transformer import TextTransformer as TextTransformer
from keras_mmfusion.encoders.tiled_image_converter import TiledImageConverter as TiledImageConverter
from keras_mmfusion.encoders.token_encoder import TokenEncoder as TokenEncoder
from keras_mmfusion.encoders.vector_encoder import VectorEncoder as VectorEncoder
from keras_mmfusion.encoders.video_encoder import VideoEncoder as VideoEncoder
from keras_mmfusion.encoders.vision_transformer import VisionTransformer as VisionTransformer
