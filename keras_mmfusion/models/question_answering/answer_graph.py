"""What the exported question answerers share: graphs from image files and questions to answers."""

from keras_mmfusion.models.export.in_slices import apply_in_slices
from keras_mmfusion.models.export.saved_model_folder import trace, write_saved_model
from keras_mmfusion.models.export.tensor_export import describe_model
from keras_mmfusion.models.export.warmup_requests import make_photo_requests


def trace_on_questions(function, image_specs, preprocessor):
    """Traces a function of preprocessed images and packed questions as a function of its own.

    Args:
        function: called with the tensors of `image_specs`, and with token ids and a mask, both
            `(batch, question_length)`.
        image_specs: list of `tf.TensorSpec`.
        preprocessor: has a `question_length`.

    Returns:
        A function of the same arguments.
    """
    import tensorflow as tf

    shape = (None, preprocessor.question_length)
    return trace(
        function, [*image_specs, tf.TensorSpec(shape, "int32"), tf.TensorSpec(shape, "bool")]
    )


def select_most_probable(answers, probabilities, top_k):
    """Returns the outputs of a model that selects answers.

    Args:
        answers: list of strings, all answers of the model.
        probabilities: float32 tensor `(batch, answers)`.
        top_k: int.

    Returns:
        A dict: `"answers"`, strings `(batch, top_k)`, the most probable first, and
        `"probabilities"`, float32 `(batch, top_k)`.
    """
    import tensorflow as tf

    best = tf.math.top_k(probabilities, top_k)
    return {
        "answers": tf.gather(tf.constant(answers), best.indices),
        "probabilities": best.values,
    }


def write_answer_graph(model, answer_files, rows, folder, entries, manifest, answer_frames=None):
    """Writes the next version of a SavedModel whose `serving_default` answers questions.

    Args:
        model: question answerer with a preprocessor.
        answer_files: function of TensorFlow graphs: maps `image_bytes`, strings `(batch,)` or, for
            videos, `(batch, frames)`, and `questions`, strings `(batch,)`, to a dict of tensors
            `(batch, ...)`.
        rows: int. Number of questions that the graph processes at once.
        folder: string or path.
        entries: dict. The entries of the manifest that describe how answers are found.
        manifest: dict or `None`. Additional entries of the manifest.
        answer_frames: function like `answer_files` of the signature `answer_frames`, which takes
            the pixels of videos, uint8 `(batch, frames, height, width, 3)`, in place of the files;
            or `None`.

    Returns:
        The path of the new version.
    """
    import tensorflow as tf

    frames = () if model.num_frames is None else (model.num_frames,)
    files = tf.TensorSpec((None, *frames), "string", name="image_bytes")
    questions = tf.TensorSpec((None,), "string", name="questions")
    endpoints = {"serving_default": (apply_in_slices(answer_files, rows), [files, questions])}
    if answer_frames is not None:
        pixels = tf.TensorSpec((None, *frames, None, None, 3), "uint8", name="frames")
        endpoints["answer_frames"] = (apply_in_slices(answer_frames, rows), [pixels, questions])
    return write_saved_model(
        endpoints,
        folder,
        {**describe_model(model, manifest), **entries},
        model.preprocessor.tokenizer.lookup_tables(),
        make_photo_requests(rows, *frames, questions="what is this?"),
    )
