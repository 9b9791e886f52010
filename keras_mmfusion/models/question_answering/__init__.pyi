"""Written by `python -m keras_mmfusion._write_stubs`; do not edit."""

from keras_mmfusion.models.question_answering.blip_question_answerer import BlipQuestionAnswerer as BlipQuestionAnswerer
from keras_mmfusion.models.question_answering.question_answering_preprocessor import QuestionAnsweringPreprocessor as QuestionAnsweringPreprocessor
