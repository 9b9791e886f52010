"""Files on disk to batches of raw images and captions."""

from keras_mmfusion._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "CaptionPairs": "caption_pairs",
        "CaptionSequence": "caption_sequence",
        "caption_dataset": "caption_dataset",
        "flickr8k": "flickr8k",
        "image_caption_pairs": "image_caption_pairs",
        "read_coco_captions": "coco_captions",
        "read_flickr8k": "flickr8k",
        "read_image": "read_image",
        "read_image_caption_pairs": "image_caption_pairs",
    },
)
