"""Export of captioners as SavedModels that map image files to captions in one graph."""

import functools

from keras import ops

from keras_mmfusion.datasets.images.transparency import drops_alpha
from keras_mmfusion.models.captioning.decoding.caption_generator import (
    SearchFunction,
    compute_token_log_probs,
)
from keras_mmfusion.models.captioning.decoding.decoding_arguments import check_search_width
from keras_mmfusion.models.export.in_slices import apply_in_slices
from keras_mmfusion.models.export.int8_weights import Int8Weights
from keras_mmfusion.models.export.invalid_rows import blank_invalid_rows
from keras_mmfusion.models.export.preprocessed_images import decode_preprocessed_images
from keras_mmfusion.models.export.saved_model_folder import trace, write_saved_model
from keras_mmfusion.models.export.tensor_export import describe_model
from keras_mmfusion.models.export.warmup_requests import make_photo_requests

ROWS = 32  # Number of images that the graph processes at once.


def export_captioner(model, folder, settings, int8_weights=False, manifest=None):
    """Writes the next version of a captioner for TensorFlow Serving; see `Captioner.export`.

    Args:
        model: `Captioner` with a preprocessor.
        folder: string or path.
        settings: `DecodingSettings`.
        int8_weights: bool. Whether to store large weights as int8; see `Int8Weights`.
        manifest: dict or `None`. Additional entries of the manifest.

    Returns:
        The path of the new version.
    """
    import tensorflow as tf

    check_search_width(settings.beams, model.preprocessor.tokenizer.vocabulary_size(), ROWS)
    graph = _CaptionerGraph(model, settings, Int8Weights(model) if int8_weights else None)
    frames = (model.num_frames,) if model.encodes_only_videos else ()
    files = tf.TensorSpec((None, *frames), "string", name="image_bytes")
    pixels = tf.TensorSpec((None, *frames, None, None, 3), "float32", name="images")
    texts = tf.TensorSpec((None,), "string", name="captions")
    endpoints = {
        "serving_default": (apply_in_slices(graph.caption_files, ROWS), [files]),
        "caption_pixels": (apply_in_slices(graph.caption_pixels, ROWS), [pixels]),
        "hypotheses": (apply_in_slices(graph.hypotheses, ROWS), [files]),
        "features": (apply_in_slices(graph.features, ROWS), [files]),
        "score": (apply_in_slices(graph.score, ROWS), [files, texts]),
        "attention": (apply_in_slices(graph.attention, ROWS), [files]),
    }
    manifest = {
        **describe_model(model, manifest),
        "int8_weights": int8_weights,
        "drop_alpha": drops_alpha(model.preprocessor),
        "decoding": {
            name: getattr(settings, name)
            for name in (
                "beams",
                "length_penalty",
                "no_repeat_ngram",
                "min_length",
                "max_length",
            )
        },
    }
    tables = model.preprocessor.tokenizer.lookup_tables()
    requests = make_photo_requests(ROWS, *frames)
    return write_saved_model(endpoints, folder, manifest, tables, requests)


class _CaptionerGraph:
    """The functions of the signatures. Rows with invalid images have empty or zero outputs.

    Shared computations are traced once, as functions of their own.
    """

    def __init__(self, model, settings, int8_weights):
        import tensorflow as tf

        def with_weights(function):
            """Makes a function use the int8 weights, if there are any."""
            return int8_weights.wrap(function) if int8_weights else function

        self.model = model
        self.preprocessor = model.preprocessor
        self.special = self.preprocessor.get_special_tokens()
        frames = (model.num_frames,) if model.encodes_only_videos else ()
        files = tf.TensorSpec((None, *frames), "string")
        size = self.preprocessor.image_size
        images = tf.TensorSpec((None, *frames, *size, 3), "float32")
        self._read = trace(self._read_files, [files])
        self._encode = trace(with_weights(self._encode_images), [images])
        tokens = tf.TensorSpec(self._encode.structured_outputs.shape, "float32")
        search = SearchFunction(model, settings, self.special)
        self._search = trace(with_weights(search), [tokens])
        self._token_log_probs = with_weights(functools.partial(compute_token_log_probs, model))

    def caption_files(self, image_bytes):
        return self._mask_invalid(image_bytes, self._search_best)

    def caption_pixels(self, images):
        return self._search_best(self.preprocessor.generate_preprocess(images))

    def hypotheses(self, image_bytes):
        return self._mask_invalid(image_bytes, self._search_captions)

    def features(self, image_bytes):
        return self._mask_invalid(image_bytes, lambda images: {"features": self._encode(images)})

    def score(self, image_bytes, captions):
        inputs, targets, weights = self.preprocessor.pack_captions_tensor(captions)

        def score(images):
            log_probs, _ = self._token_log_probs(self._encode(images), inputs, targets)
            log_probs = log_probs * weights
            return {
                "log_probability": ops.sum(log_probs, axis=-1),
                "token_ids": targets,
                "token_log_probs": log_probs,
            }

        return self._mask_invalid(image_bytes, score)

    def attention(self, image_bytes):
        def attend(images):
            image_tokens = self._encode(images)
            ids, _ = self._search(image_tokens)
            ids = ids[:, 0]
            start = ops.full_like(ids[:, :1], self.special.start)
            inputs = ops.concatenate([start, ids[:, :-1]], axis=-1)
            log_probs, attention = self._token_log_probs(image_tokens, inputs, ids)
            mask = ops.cast(self.special.mask_tokens(ids), "float32")
            return {
                "captions": self.preprocessor.generate_postprocess(ids),
                "token_ids": ids,
                "token_log_probs": log_probs * mask,
                "attention": attention * ops.expand_dims(mask, -1),
            }

        return self._mask_invalid(image_bytes, attend)

    def _read_files(self, image_bytes):
        return decode_preprocessed_images(image_bytes, self.preprocessor)

    def _encode_images(self, images):
        return ops.cast(self.model.encode(images, training=False), "float32")

    def _search_captions(self, images):
        ids, scores = self._search(self._encode(images))
        captions = self.preprocessor.generate_postprocess(ids)
        return {"captions": captions, "scores": scores, "token_ids": ids}

    def _search_best(self, images):
        return {name: value[:, 0] for name, value in self._search_captions(images).items()}

    def _mask_invalid(self, image_bytes, function):
        """Applies `function` to the images; invalid rows are blank. Adds `error_codes`."""
        images, codes = self._read(image_bytes)
        return blank_invalid_rows(function(images), codes, self.special.pad)
