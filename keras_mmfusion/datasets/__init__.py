"""Files on disk to batches of raw images and captions."""

from keras_mmfusion._lazy import lazy_exports

# No module may have the name of an export: importing it would put the module in its place.
__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "CaptionPairs": "caption_pairs",
        "CaptionSequence": "caption_sequence",
        "LabeledGraph": "labeled_graph",
        "NeighborSampler": "neighbor_sampler",
        "SentimentUtterances": "cmu_mosi",
        "caption_dataset": "caption_pipeline",
        "flickr8k": "flickr8k_captions",
        "graph_from_tensor": "graph_tensor",
        "graph_to_tensor": "graph_tensor",
        "image_caption_pairs": "image_caption_table",
        "read_caption_folder": "caption_folder",
        "read_cmu_mosi": "cmu_mosi",
        "read_coco_captions": "coco_captions",
        "read_flickr8k": "flickr8k_captions",
        "read_graph_tensors": "graph_tensor",
        "read_image_caption_pairs": "image_caption_table",
        "read_planetoid": "planetoid",
        "write_graph_tensors": "graph_tensor",
    },
)
