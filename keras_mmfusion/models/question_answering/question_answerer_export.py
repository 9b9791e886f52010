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
        model: `QuestionAnswerer` with a preprocessor. A model of videos, with `num_frames`, also
            gets the signature `answer_frames`.
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

    def answer_preprocessed(images, questions):
        packed = preprocessor.pack_questions_tensor(questions)
        return select_most_probable(model.answers, traced_predict(images, *packed), top_k)

    def answer_files(image_bytes, questions):
        images, codes = decode_preprocessed_images(image_bytes, preprocessor)
        return blank_invalid_rows(answer_preprocessed(images, questions), codes)

    def answer_frames(frames, questions):
        return answer_preprocessed(preprocessor.generate_preprocess(frames), questions)

    frames = () if model.num_frames is None else (model.num_frames,)
    image_specs = [tf.TensorSpec((None, *frames, *preprocessor.image_size, 3), "float32")]
    traced_predict = trace_on_questions(predict, image_specs, preprocessor)
    return write_answer_graph(
        model,
        answer_files,
        ROWS,
        folder,
        {"top_k": top_k},
        manifest,
        answer_frames=answer_frames if frames else None,
    )
