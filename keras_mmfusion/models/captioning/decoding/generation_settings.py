from keras_mmfusion._checks import check_integer
from keras_mmfusion.models.captioning.decoding.decoding_arguments import (
    MAX_BEAMS,
    check_search_width,
)
from keras_mmfusion.models.captioning.decoding.decoding_settings import DecodingSettings


def resolve_generation_settings(
    preprocessor,
    caller="generate",
    prompt=None,
    hypotheses=1,
    sample=False,
    max_length=None,
    **settings,
):
    """Validates the arguments of `Captioner.generate` or `export`; returns `DecodingSettings`.

    Args:
        preprocessor: `CaptioningPreprocessor` or `None`.
        caller: string. The method, for error messages.
        prompt, hypotheses, sample, max_length: see `Captioner.generate`.
        **settings: further arguments of `DecodingSettings`.

    Raises:
        ValueError: if an argument is invalid or there is no preprocessor.
    """
    if preprocessor is None:
        raise ValueError(
            f"`{caller}` requires a preprocessor, for its tokenizer and image size. Set "
            "`model.preprocessor = CaptioningPreprocessor(...)`."
        )
    hypotheses = check_integer(None, "hypotheses", hypotheses, 1, MAX_BEAMS)
    settings = DecodingSettings(
        max_length=preprocessor.check_max_length(max_length),
        samples=hypotheses if sample else 0,
        prompt=preprocessor.tokenize_prompt(prompt),
        **settings,
    )
    if not sample:
        check_search_width(settings.beams, preprocessor.tokenizer.vocabulary_size())
        if hypotheses > settings.beams:
            raise ValueError(
                "`hypotheses` must be at most `beams` in a search. Received: "
                f"hypotheses={hypotheses}, beams={settings.beams}"
            )
    return settings
