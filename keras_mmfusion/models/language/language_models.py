"""Language models of KerasHub that are saved as presets of this package."""

import functools

import keras
import keras_hub

from keras_mmfusion._checks import check_integer
from keras_mmfusion._keras_internals import get_functional_class
from keras_mmfusion.models.language.language_preprocessor import LanguagePreprocessor
from keras_mmfusion.models.language.llama_backbone import LlamaBackbone
from keras_mmfusion.models.low_rank_adaptation import (
    add_low_rank_adapters,
    check_without_adapters,
)
from keras_mmfusion.models.presets.preset_folder import PresetModel
from keras_mmfusion.models.steps_by_rank import StepsByRank


class _LanguageModel(PresetModel, StepsByRank):
    """Mixin of the language models; precedes the class of KerasHub."""

    preprocessor_cls = LanguagePreprocessor

    def fit(self, x=None, y=None, batch_size=None, epochs=1, **kwargs):
        """Trains the model on texts, or on the batches of a `PyDataset` such as `DialogueSequence`.

        Args:
            x: strings or a dataset of them; or a `keras.utils.PyDataset` of preprocessed batches.
            y, batch_size, epochs, **kwargs: see `keras.Model.fit`.
        """
        # KerasHub's pipeline, which preprocesses strings, does not support `PyDataset`.
        is_raw = not isinstance(x, keras.utils.PyDataset)
        fit = super().fit if is_raw else functools.partial(keras.Model.fit, self)
        return fit(x, y, batch_size=batch_size, epochs=epochs, **kwargs)

    def evaluate(self, x=None, y=None, batch_size=None, **kwargs):
        """Evaluates the model; see `fit`."""
        is_raw = not isinstance(x, keras.utils.PyDataset)
        evaluate = super().evaluate if is_raw else functools.partial(keras.Model.evaluate, self)
        return evaluate(x, y, batch_size=batch_size, **kwargs)

    def enable_lora(self, rank):
        """Freezes the model and adds trainable low-rank adapters to its attention: LoRA.

        Saved files have the adapters merged into the weights. Compile the model afterwards.

        Args:
            rank: int. Rank of the adapters.
        """
        check_integer(self, "rank", rank)
        check_without_adapters(self)
        add_low_rank_adapters(self.backbone, rank)
        self.reset_compiled_functions()

    def reset_compiled_functions(self):
        self.generate_function = None


# Without `Functional` among the bases of a functional model, Keras inserts it into the bases of all
# tasks of KerasHub, and models such as captioners, which are not functional, stop working.


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class LlamaLanguageModel(_LanguageModel, keras_hub.models.LlamaCausalLM, get_functional_class()):
    """Predicts the next token of a text with a Llama, such as SmolLM2.

    `zoo.language_model` loads pretrained ones. It is a `keras_hub.models.CausalLM` with its
    `generate`, `fit`, and `score`:

    ```python
    model = language_model("hf://HuggingFaceTB/SmolLM2-135M-Instruct")
    model.compile(sampler="greedy")
    model.generate("The capital of France is", max_length=20)
    ```

    Args:
        backbone: `LlamaBackbone`.
        preprocessor: `LanguagePreprocessor`, or `None` for a model of token ids.

    Call arguments:
        inputs: dict of `"token_ids"`, int `(batch, tokens)`, and `"padding_mask"`, 1 for valid
            tokens, `(batch, tokens)`.

    Returns:
        Logits `(batch, tokens, vocabulary_size)`.

    Example:

    >>> import numpy as np
    >>> backbone = LlamaBackbone(20, 1, 2, 8, 12, 1, tie_word_embeddings=True)
    >>> model = LlamaLanguageModel(backbone)
    >>> ids = np.ones((1, 3), "int32")
    >>> tuple(model({"token_ids": ids, "padding_mask": ids}).shape)
    (1, 3, 20)

    Reference:
        Touvron et al., "LLaMA: Open and Efficient Foundation Language Models", arXiv:2302.13971.
    """

    backbone_cls = LlamaBackbone


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class Gpt2LanguageModel(_LanguageModel, keras_hub.models.GPT2CausalLM, get_functional_class()):
    """Predicts the next token of a text with a GPT-2.

    It is used as `LlamaLanguageModel`, and has the same inputs and outputs.

    Args:
        backbone: `keras_hub.models.GPT2Backbone`.
        preprocessor: `LanguagePreprocessor`, or `None` for a model of token ids.

    Example:

    >>> import numpy as np
    >>> model = Gpt2LanguageModel(keras_hub.models.GPT2Backbone(20, 1, 2, 8, 12))
    >>> ids = np.ones((1, 3), "int32")
    >>> tuple(model({"token_ids": ids, "padding_mask": ids}).shape)
    (1, 3, 20)

    Reference:
        Radford et al., "Language Models are Unsupervised Multitask Learners" (2019).
    """
