"""Export of image-text models as SavedModels: from image files to embeddings."""

from keras import ops

from keras_mmfusion.datasets.images.decoding.decode_image_tensor import OK, decode_image_tensors
from keras_mmfusion.datasets.images.transparency import drops_alpha
from keras_mmfusion.models.export.in_slices import apply_in_slices
from keras_mmfusion.models.export.saved_model_folder import write_saved_model
from keras_mmfusion.models.export.tensor_export import describe_model
from keras_mmfusion.models.export.warmup_requests import make_photo_requests
from keras_mmfusion.models.tokenizers.checkpoint_tokenizer import CheckpointTokenizer

ROWS = 32  # Number of images or texts that the graph processes at once.


def export_retrieval(model, folder, manifest=None):
    """Writes the next version of a SavedModel. See `ContrastiveModel.export`.

    Args:
        model: `ContrastiveModel` with a `RetrievalPreprocessor`.
        folder: string or path.
        manifest: dict or `None`. Further entries of `manifest.json`.

    Returns:
        The path of the new version.
    """
    import tensorflow as tf

    preprocessor = model.preprocessor
    if not hasattr(preprocessor, "image_converter"):
        raise ValueError(
            "`export` needs a `RetrievalPreprocessor`, which sets image size and sequence length. "
            f"Received: preprocessor={preprocessor!r}"
        )

    def embed(modality, inputs):
        vectors = ops.cast(model.compute_embeddings({modality: inputs})[modality], "float32")
        return ops.normalize(vectors, axis=-1)

    def embed_files(image_bytes):
        size = tuple(preprocessor.image_converter.image_size)
        images, codes = decode_image_tensors(
            image_bytes,
            lambda image: preprocessor({"image": image[None]})["image"][0],
            size,
            drop_alpha=drops_alpha(preprocessor),
        )
        embeddings = tf.where((codes == OK)[:, None], embed("image", images), 0.0)
        return {"embeddings": embeddings, "error_codes": codes}

    def embed_tokens(token_ids, padding_mask):
        inputs = {"token_ids": token_ids, "padding_mask": padding_mask}
        return {"embeddings": embed("text", inputs)}

    def embed_texts(texts):
        return embed_tokens(**preprocessor({"text": texts})["text"])

    files = tf.TensorSpec((None,), "string", name="image_bytes")
    shape = (None, preprocessor.sequence_length)
    tokens = [tf.TensorSpec(shape, "int32", name=n) for n in ("token_ids", "padding_mask")]
    endpoints = {
        "serving_default": (apply_in_slices(embed_files, ROWS), [files]),
        "embed_tokens": (apply_in_slices(embed_tokens, ROWS), tokens),
    }
    tables = []
    tokenizer = preprocessor.tokenizer
    if isinstance(tokenizer, CheckpointTokenizer) and tokenizer.is_exportable:
        texts = tf.TensorSpec((None,), "string", name="texts")
        endpoints["embed_texts"] = (apply_in_slices(embed_texts, ROWS), [texts])
        tables = tokenizer.lookup_tables()
    manifest = describe_model(model, manifest)
    return write_saved_model(endpoints, folder, manifest, tables, make_photo_requests(ROWS))
