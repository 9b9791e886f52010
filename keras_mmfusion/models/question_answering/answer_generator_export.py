"""Export of models that write answers, as SavedModels: image files and questions to answers."""

from keras import ops

from keras_mmfusion.models.captioning.decoding.beam_search import beam_search
from keras_mmfusion.models.captioning.decoding.decoding_arguments import check_search_width
from keras_mmfusion.models.captioning.decoding.greedy_search import greedy_search
from keras_mmfusion.models.captioning.decoding.step_functions import build_cached_step
from keras_mmfusion.models.export.invalid_rows import blank_invalid_rows
from keras_mmfusion.models.export.preprocessed_images import decode_preprocessed_images
from keras_mmfusion.models.question_answering.answer_graph import (
    trace_on_questions,
    write_answer_graph,
)

ROWS = 32  # Number of questions that the graph processes at once.


def export_answer_generator(model, folder, settings, manifest=None):
    """Writes the next version of a model that generates answers; see its `export`.

    Args:
        model: `AnswerGenerator` with a preprocessor.
        folder: string or path.
        settings: `DecodingSettings`.
        manifest: dict or `None`. Additional entries of the manifest.

    Returns:
        The path of the new version.
    """
    import tensorflow as tf

    preprocessor = model.preprocessor
    check_search_width(settings.beams, preprocessor.tokenizer.vocabulary_size(), ROWS)
    special = preprocessor.get_special_tokens()

    def search(images, questions, mask):
        tokens, context_mask = model.encode_pair(images, questions, mask, training=False)
        step, cache = build_cached_step(
            model.text_decoder,
            tokens,
            settings.max_length,
            settings.beams,
            context_mask=context_mask,
        )
        search_tokens = greedy_search if settings.beams == 1 else beam_search
        ids, scores = search_tokens(step, cache, ops.shape(tokens)[0], settings, special)
        return ids[:, 0], scores[:, 0]

    def answer(image_bytes, questions):
        images, codes = decode_preprocessed_images(image_bytes, preprocessor)
        ids, scores = traced_search(images, *preprocessor.pack_questions_tensor(questions))
        answers = preprocessor.generate_postprocess(ids)
        results = {"answers": answers, "scores": scores, "token_ids": ids}
        return blank_invalid_rows(results, codes, special.pad)

    image_specs = [tf.TensorSpec((None, *preprocessor.image_size, 3), "float32")]
    traced_search = trace_on_questions(search, image_specs, preprocessor)
    decoding = {
        "beams": settings.beams,
        "length_penalty": settings.length_penalty,
        "min_length": settings.min_length,
        "max_length": settings.max_length,
    }
    return write_answer_graph(model, answer, ROWS, folder, {"decoding": decoding}, manifest)
