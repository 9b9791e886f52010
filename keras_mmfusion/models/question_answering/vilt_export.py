"""Export of `ViltQuestionAnswerer` as a SavedModel: image files and questions to answers."""

from keras_mmfusion.datasets.images.decoding.decode_image_tensor import decode_image_tensors
from keras_mmfusion.datasets.images.transparency import drops_alpha
from keras_mmfusion.models.export.invalid_rows import blank_invalid_rows
from keras_mmfusion.models.question_answering.answer_graph import (
    select_most_probable,
    trace_on_questions,
    write_answer_graph,
)

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
        """Pads an image to the size of the batch, and adds the mask of its pixels as a channel."""
        pixels, size = converter(image)
        pixels = tf.cast(pixels, "float32")
        pixels = tf.concat([pixels, tf.ones_like(pixels[..., :1])], axis=-1)
        return tf.pad(pixels, [[0, length - size[0]], [0, length - size[1]], [0, 0]])

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
            image_bytes,
            convert,
            (length, length),
            drop_alpha=drops_alpha(preprocessor),
            channels=4,
        )
        images, sizes = _crop_batch(images, converter.multiple)
        probabilities = traced_predict(
            images, sizes, *preprocessor.pack_questions_tensor(questions)
        )
        return blank_invalid_rows(select_most_probable(model.answers, probabilities, top_k), codes)

    image_specs = [
        tf.TensorSpec((None, None, None, 3), "float32"),
        tf.TensorSpec((None, 2), "int32"),
    ]
    traced_predict = trace_on_questions(predict, image_specs, preprocessor)
    return write_answer_graph(model, answer, ROWS, folder, {"top_k": top_k}, manifest)


def _crop_batch(images, multiple):
    """Crops a batch to its largest image.

    Args:
        images: float32 tensor `(batch, height, width, 4)`; the last channel is the mask.
        multiple: int. The least height and width, which invalid images get.

    Returns:
        The images `(batch, height, width, 3)`, and their sizes, int32 `(batch, 2)`.
    """
    import tensorflow as tf

    mask = tf.cast(images[..., 3], "int32")
    heights, widths = tf.reduce_sum(mask[:, :, 0], axis=1), tf.reduce_sum(mask[:, 0], axis=1)
    sizes = tf.maximum(tf.stack([heights, widths], axis=1), multiple)
    height, width = tf.unstack(tf.reduce_max(sizes, axis=0))
    return images[:, :height, :width, :3], sizes
