"""Visual question answering."""

from keras_mmfusion._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "Answer": "question_answering_model",
        "BlipQuestionAnswerer": "blip_question_answerer",
        "AnswerClassifier": "answer_classifier",
        "AnswerGenerator": "answer_generator",
        "GenerativeQuestionAnswerer": "generative_question_answerer",
        "ImageQuestionPreprocessor": "image_question_preprocessor",
        "QuestionAnswerer": "question_answerer",
        "QuestionAnsweringModel": "question_answering_model",
        "QuestionAnsweringRecipe": "question_answering_recipe",
        "create_question_answerer": "question_answering_recipe",
        "score_question_answering_recipe": "recipe_scores",
        "train_question_answering": "question_answering_recipe",
        "QuestionAnsweringPreprocessor": "question_answering_preprocessor",
        "VideoQuestionAnswerer": "video_question_answerer",
        "ViltBackbone": "vilt_backbone",
        "ViltPreprocessor": "vilt_preprocessor",
        "ViltQuestionAnswerer": "vilt_question_answerer",
        "evaluate_question_answering": "question_evaluation",
        "evaluate_video_question_answering": "video_question_evaluation",
    },
)
