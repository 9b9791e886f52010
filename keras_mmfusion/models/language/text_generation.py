"""Generation of texts by multimodal language models."""

from keras_mmfusion._checks import check_integer
from keras_mmfusion.models.captioning.decoding.decoding_arguments import (
    MAX_BEAMS,
    check_search_width,
)
from keras_mmfusion.models.captioning.decoding.decoding_settings import DecodingSettings
from keras_mmfusion.models.compiled_function import is_faster_with_xla
from keras_mmfusion.models.language.text_generator import make_rng, resolve_stop


class TextGeneration:
    """Mixin with the methods of `MultimodalLM` that generate texts."""

    @property
    def _jit_compile_search(self):
        return is_faster_with_xla(self.backbone.hidden_dim)

    def reset_compiled_functions(self):
        """Discards compiled functions, as required after changes of the model."""
        self._generator.reset()

    def generate(
        self,
        inputs,
        max_length=64,
        min_length=1,
        beams=1,
        hypotheses=1,
        length_penalty=0.7,
        no_repeat_ngram=0,
        sample=False,
        temperature=1.0,
        top_k=None,
        top_p=None,
        seed=None,
        stop=(),
        choices=None,
        batch_size=8,
        details=False,
    ):
        """Generates texts that follow prompts.

        Each search is compiled once for each padded length of the prompts. The result of a prompt
        does not depend on the others.

        Args:
            inputs: string, list of strings, or dict of `"prompts"` with markers and the items; see
                `MultimodalPreprocessor`.
            max_length: int. The maximum number of new tokens, including the end token.
            min_length: int. The minimum number of new tokens before the end token.
            beams: int. The width of the beam search; 1 is greedy search.
            hypotheses: int. The number of texts for each prompt, best first. If more than one, a
                list of texts is returned for each prompt.
            length_penalty, no_repeat_ngram, temperature, top_k, top_p: see `DecodingSettings`.
                N-grams of the prompt may be repeated.
            sample: bool. Whether to sample texts instead of searching.
            seed: int. The seed of sampling.
            stop: string or strings. A text ends before the first of them.
            choices: strings, or `None`. If they are given, the most probable of them is returned;
                see `score_choices`. The other settings are then not used.
            batch_size: int. The maximum number of prompts that are processed together.
            details: bool. Whether to return `GeneratedText`s with scores and log-probabilities
                instead of strings.

        Returns:
            A string or `GeneratedText` for one prompt, a list for several.

        Raises:
            ValueError: if an argument is invalid, a prompt is empty or too long, or there is no
                preprocessor.
        """
        samples, single = self._encode_prompts(inputs)
        if choices is not None:
            if details or hypotheses != 1:
                raise ValueError(
                    "`details` and `hypotheses` cannot be combined with `choices`. Use "
                    "`score_choices` for the log-probabilities of all choices."
                )
            choices = _check_choices(choices)
            scores = self._generator.score(samples, choices, _check_batch_size(batch_size))
            results = [choices[index] for index in scores.argmax(axis=1)]
            return results[0] if single else results
        return self._generate(
            samples,
            single,
            max_length=max_length,
            min_length=min_length,
            beams=beams,
            hypotheses=hypotheses,
            length_penalty=length_penalty,
            no_repeat_ngram=no_repeat_ngram,
            sample=sample,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            seed=seed,
            stop=stop,
            batch_size=batch_size,
            details=details,
        )

    def chat(self, messages, **settings):
        """Generates the next answer of a conversation.

        Args:
            messages: list of messages, with items as parts; see
                `MultimodalPreprocessor.encode_chat`. Or a list of conversations.
            **settings: see `generate`.

        Returns:
            A string or `GeneratedText` for one conversation, a list for several.

        Raises:
            ValueError: see `generate`, and if a message is not valid.
        """
        self._check_preprocessor("chat")
        single = not (messages and isinstance(messages[0], (list, tuple)))
        conversations = [messages] if single else messages
        samples = [self.preprocessor.encode_chat(each) for each in conversations]
        results = self.generate(samples, **settings)
        return results[0] if single else results

    def stream(
        self,
        inputs,
        max_length=64,
        min_length=1,
        no_repeat_ngram=0,
        sample=False,
        temperature=1.0,
        top_k=None,
        top_p=None,
        seed=None,
        stop=(),
    ):
        """Yields the pieces of a text as they are generated.

        ```python
        for piece in model.stream("Once upon a time"):
            print(piece, end="", flush=True)
        ```

        Joined, they are the text of `generate` with the same arguments, by greedy search or by
        sampling one text.

        Args:
            inputs: one prompt, see `generate`; or the messages of a conversation, see `chat`.
            max_length, min_length, no_repeat_ngram, sample, temperature, top_k, top_p, seed, stop:
                see `generate`.

        Yields:
            Strings that are not empty.
        """
        if isinstance(inputs, list) and inputs and isinstance(inputs[0], dict):
            self._check_preprocessor("stream")
            samples = [self.preprocessor.encode_chat(inputs)]
        else:
            samples, _ = self._encode_prompts(inputs)
        if len(samples) != 1:
            raise ValueError(f"`stream` generates one text. Received {len(samples)} prompts.")
        settings = DecodingSettings(
            max_length,
            min_length,
            beams=1,
            no_repeat_ngram=no_repeat_ngram,
            samples=int(bool(sample)),
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
        )
        return self._generator.stream(samples[0], settings, make_rng(seed), resolve_stop(stop))

    def score_choices(self, inputs, choices, batch_size=8):
        """Computes the log-probability of each choice as the complete text after each prompt.

        The probability is that of all tokens of the choice and the end token, so that a choice may
        be the beginning of another.

        Args:
            inputs: see `generate`.
            choices: strings.
            batch_size: int. The maximum number of prompts that are processed together.

        Returns:
            Float32 array `(prompts, choices)`, natural logarithms.
        """
        samples, _ = self._encode_prompts(inputs)
        return self._generator.score(
            samples, _check_choices(choices), _check_batch_size(batch_size)
        )

    def _generate(
        self,
        samples,
        single,
        hypotheses,
        sample,
        beams,
        seed,
        stop,
        batch_size,
        details,
        **settings,
    ):
        hypotheses = check_integer(None, "hypotheses", hypotheses, 1, MAX_BEAMS)
        settings = DecodingSettings(
            samples=hypotheses if sample else 0, beams=1 if sample else beams, **settings
        )
        if not sample:
            check_search_width(settings.beams, self.backbone.vocabulary_size)
            if hypotheses > settings.beams:
                raise ValueError(
                    "`hypotheses` must be at most `beams` in a search. Received: "
                    f"hypotheses={hypotheses}, beams={settings.beams}"
                )
        results = self._generator.generate(
            samples,
            settings,
            hypotheses,
            make_rng(seed),
            _check_batch_size(batch_size),
            details,
            resolve_stop(stop),
        )
        if hypotheses == 1:
            results = [texts[0] for texts in results]
        return results[0] if single else results

    def _encode_prompts(self, inputs):
        """Returns a list of `EncodedSample`s, and whether the inputs are one prompt."""
        self._check_preprocessor("generate")
        if isinstance(inputs, list) and inputs and not isinstance(inputs[0], (str, bytes)):
            return inputs, False  # Encoded by `chat`.
        if not isinstance(inputs, dict):
            inputs = {"prompts": inputs}
        single = isinstance(inputs.get("prompts"), str)
        return self.preprocessor.encode_batch(inputs), single

    def _check_preprocessor(self, caller):
        if self.preprocessor is None:
            raise ValueError(
                f"`{caller}` requires a preprocessor. Pass a `MultimodalPreprocessor` to the model."
            )


def _check_batch_size(batch_size):
    return check_integer(None, "batch_size", batch_size)


def _check_choices(choices):
    choices = (choices,) if isinstance(choices, str) else tuple(choices)
    if len(choices) < 2 or not all(isinstance(each, str) and each for each in choices):
        raise ValueError(
            f"`choices` must be at least two strings that are not empty. Received: {choices!r}"
        )
    return choices
