"""Export of `QuestionAnswerer` as a SavedModel: image files and questions to answers."""

from keras_mmfusion.models.export.invalid_rows import blank_invalid_rows
from keras_mmfusion.models.export.preprocessed_images import decode_preprocessed_images
from keras_mmfusion.models.question_answering.answer_graph import (
    select_most_probable,
    trace_on_questions,
    write_answer_graph,
)

ROWS = 32  # Number of questions that the graph processes at once.


def export_answer_classifier(model, folder, top_k, manifest=None):
    """Writes the next version of a model that selects answers; see `QuestionAnswerer.export`.

    Args:
        model: `QuestionAnswerer` with a preprocessor.
        folder: string or path.
        top_k: int. The number of answers to each question.
        manifest: dict or `None`. Additional entries of the manifest.

    Returns:
        The path of the new version.
    """
    import tensorflow as tf

    preprocessor = model.preprocessor
    if not hasattr(preprocessor.tokenizer, "lookup_tables"):
        raise ValueError(
            "`export` needs a tokenizer of this package, such as `WordTokenizer` or "
            "`WordPieceTokenizer`: the operations of KerasHub's are not part of TensorFlow "
            f"Serving. Received: {type(preprocessor.tokenizer).__name__}"
        )

    def predict(images, questions, mask):
        inputs = {"images": images, "questions": questions, "question_mask": mask}
        logits = tf.cast(model(inputs, training=False), "float32")
        return tf.sigmoid(logits) if model.activation == "sigmoid" else tf.nn.softmax(logits)

    def answer(image_bytes, questions):
        images, codes = decode_preprocessed_images(image_bytes, preprocessor)
        probabilities = traced_predict(images, *preprocessor.pack_questions_tensor(questions))
        return blank_invalid_rows(select_most_probable(model.answers, probabilities, top_k), codes)

    image_specs = [tf.TensorSpec((None, *preprocessor.image_size, 3), "float32")]
    traced_predict = trace_on_questions(predict, image_specs, preprocessor)
    return write_answer_graph(model, answer, ROWS, folder, {"top_k": top_k}, manifest)
