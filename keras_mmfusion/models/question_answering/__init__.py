"""Visual question answering with generated answers."""

from keras_mmfusion._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "BlipQuestionAnswerer": "blip_question_answerer",
        "QuestionAnsweringPreprocessor": "question_answering_preprocessor",
    },
)
