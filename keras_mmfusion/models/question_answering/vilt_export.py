"""Export of `ViltQuestionAnswerer` as a SavedModel: image files and questions to answers."""

from keras_mmfusion.datasets.images.decoding.decode_image_tensor import decode_image_tensors
from keras_mmfusion.datasets.images.transparency import drops_alpha
from keras_mmfusion.models.export.in_slices import apply_in_slices
from keras_mmfusion.models.export.invalid_rows import blank_invalid_rows
from keras_mmfusion.models.export.saved_model_folder import trace, write_saved_model
from keras_mmfusion.models.export.tensor_export import describe_model
from keras_mmfusion.models.export.warmup_requests import make_photo_requests

ROWS = 8  # Number of questions that the graph processes at once.


def export_vilt(model, folder, top_k, manifest=None):
    """Writes the next version of a model that selects answers; see its `export`.

    Args:
        model: `ViltQuestionAnswerer` with a preprocessor.
        folder: string or path.
        top_k: int. The number of answers to each question.
        manifest: dict or `None`. Additional entries of the manifest.

    Returns:
        The path of the new version.
    """
    import tensorflow as tf

    preprocessor = model.preprocessor
    converter = preprocessor.image_converter
    # The largest image that the converter returns.
    length = converter.longest_edge // converter.multiple * converter.multiple

    def convert(image):
        # The batch has one size, and the padding is marked by NaN until the sizes are known.
        pixels, size = converter(image)
        padding = [[0, length - size[0]], [0, length - size[1]], [0, 0]]
        return tf.pad(tf.cast(pixels, "float32"), padding, constant_values=float("nan"))

    def predict(images, sizes, questions, mask):
        inputs = {
            "images": images,
            "image_sizes": sizes,
            "questions": questions,
            "question_mask": mask,
        }
        return tf.sigmoid(tf.cast(model(inputs, training=False), "float32"))

    def answer(image_bytes, questions):
        images, codes = decode_image_tensors(
            image_bytes, convert, (length, length), drop_alpha=drops_alpha(preprocessor)
        )
        images, sizes = _remove_padding(images)
        probabilities = traced_predict(
            images, sizes, *preprocessor.pack_questions_tensor(questions)
        )
        best = tf.math.top_k(probabilities, top_k)
        results = {
            "answers": tf.gather(tf.constant(model.answers), best.indices),
            "probabilities": best.values,
        }
        return blank_invalid_rows(results, codes)

    question_length = preprocessor.question_length
    traced_predict = trace(
        predict,
        [
            tf.TensorSpec((None, None, None, 3), "float32"),
            tf.TensorSpec((None, 2), "int32"),
            tf.TensorSpec((None, question_length), "int32"),
            tf.TensorSpec((None, question_length), "bool"),
        ],
    )
    names = ("image_bytes", "questions")
    specs = [tf.TensorSpec((None,), "string", name=name) for name in names]
    return write_saved_model(
        {"serving_default": (apply_in_slices(answer, ROWS), specs)},
        folder,
        {**describe_model(model, manifest), "top_k": top_k},
        preprocessor.tokenizer.lookup_tables(),
        make_photo_requests(ROWS, questions="what is this?"),
    )


def _remove_padding(images):
    """Replaces NaN by zeros, and crops a batch to the largest image. Returns images and sizes."""
    import tensorflow as tf

    is_pixel = ~tf.math.is_nan(images[..., 0])
    heights = tf.reduce_sum(tf.cast(is_pixel[:, :, 0], "int32"), axis=1)
    widths = tf.reduce_sum(tf.cast(is_pixel[:, 0], "int32"), axis=1)
    images = images[:, : tf.reduce_max(heights), : tf.reduce_max(widths)]
    images = tf.where(tf.math.is_nan(images), tf.zeros_like(images), images)
    return images, tf.stack([heights, widths], axis=1)
