"""Files on disk to batches of raw images and captions."""

from keras_mmfusion._lazy import lazy_exports

# No module may have the name of an export: importing it would put the module in its place.
__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "CaptionPairs": "caption_pairs",
        "CaptionSequence": "caption_sequence",
        "ComputationalSequence": "computational_sequence",
        "LabeledGraph": "labeled_graph",
        "NeighborSampler": "neighbor_sampler",
        "SentimentSequences": "sentiment_sequences",
        "SentimentUtterances": "cmu_mosi",
        "align_to_words": "align_frames",
        "caption_dataset": "caption_pipeline",
        "flickr8k": "flickr8k_captions",
        "graph_from_tensor": "graph_tensor",
        "graph_to_tensor": "graph_tensor",
        "image_caption_pairs": "image_caption_table",
        "padding_share": "sequence_pipeline",
        "read_caption_folder": "caption_folder",
        "read_cmu_mosei": "cmu_mosei",
        "read_cmu_mosi": "cmu_mosi",
        "read_cmu_mosi_sequences": "cmu_mosei",
        "read_coco_captions": "coco_captions",
        "read_computational_sequences": "labeled_segments",
        "read_flickr8k": "flickr8k_captions",
        "read_graph_tensors": "graph_tensor",
        "read_image_caption_pairs": "image_caption_table",
        "read_mmsa": "mmsa_pickle",
        "read_planetoid": "planetoid",
        "read_standard_folds": "standard_folds",
        "sequence_dataset": "sequence_pipeline",
        "write_graph_tensors": "graph_tensor",
    },
)
