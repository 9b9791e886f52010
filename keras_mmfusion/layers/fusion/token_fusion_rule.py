import keras

from keras_mmfusion.layers.fusion.fusion_rule import FusionRule, leave_one_out
from keras_mmfusion.layers.masks import average_tokens, ensure_mask, ensure_masks, zero_masked


class TokenFusionRule(FusionRule):
    """Base class of rules that combine the tokens of several modalities.

    A subclass implements `build_rule(dims)`, which creates the weights, `combine(inputs, mask)`,
    the formula, and, if the number of output tokens is not the sum of the modalities' tokens,
    `count_tokens(counts)`.

    Args:
        modalities: sequence of strings. The names of the modalities, in the rule's order.
        output_dim: int or `None`. The size of the output tokens; `None` if the rule determines
            it.

    Call arguments:
        inputs: dict, modality -> float tensor `(batch, tokens, dim)`; the numbers of tokens and
            the dims may differ. `None`, or no entry, for a modality that is missing from the
            whole batch. The first call, or a functional model, needs all modalities.
        mask: dict, modality -> bool tensor `(batch, tokens)`, `True` for a real token, or
            `(batch,)`. All `False` where a sample lacks the modality. `None`, or no entry, if
            nothing is masked. Masked tokens, NaN included, do not affect the output.
        return_mask: bool. Whether to also return the mask of the output tokens.

    Output shape:
        `(batch, output_tokens, output_dim)`, zeros where the output's mask is `False`; with
        `return_mask` a tuple of that and the mask, bool `(batch, output_tokens)`. A modality
        that is missing from the batch counts as one masked token.

    Raises:
        ValueError: if a modality is unknown or its dim is not known, if a mask has the wrong
            shape, or if all modalities are missing.
    """

    input_ranks = (3,)

    def combine(self, inputs, mask):
        """The formula.

        Args:
            inputs: dict, modality -> tensor `(batch, tokens, dim)` in the order of the
                modalities, zeros where a token is masked.
            mask: dict, modality -> bool tensor `(batch, tokens)`, or `None` if no token is
                masked.

        Returns:
            Tuple of tokens `(batch, output_tokens, output_dim)` and their mask, or `None` if no
            token is masked.
        """
        raise NotImplementedError(f"{type(self).__name__} must implement `combine`.")

    def count_tokens(self, counts):
        """Computes the number of output tokens, or `None` if it is not known.

        Args:
            counts: list of the modalities' numbers of tokens, or `None` for an unknown number.
        """
        return None if None in counts else sum(counts)

    def call(self, inputs, mask=None, return_mask=False):
        tokens, mask = self.combine(*self.prepare_inputs(inputs, mask))
        tokens = zero_masked(tokens, mask)
        return (tokens, ensure_mask(tokens, mask)) if return_mask else tokens

    def compute_shares(self, inputs, mask=None):
        """The share of each modality in the mean of the output tokens.

        See `FusionRule.compute_shares`, where `y` is this mean.
        """
        inputs, mask = self.prepare_inputs(inputs, mask)
        return leave_one_out(
            lambda mask: average_tokens(*self.call(inputs, mask, return_mask=True)),
            ensure_masks(inputs, mask),
        )

    def compute_output_shape(self, inputs_shape):
        if self.output_dim is None:
            return self.trace_output_shape(inputs_shape)
        shapes = [inputs_shape[name] for name in self.modalities]
        return shapes[0][0], self.count_tokens([shape[1] for shape in shapes]), self.output_dim

    def compute_output_spec(self, inputs, mask=None, return_mask=False):
        shape = self.compute_output_shape({name: value.shape for name, value in inputs.items()})
        tokens = keras.KerasTensor(shape, dtype=self.compute_dtype)
        return (tokens, keras.KerasTensor(shape[:2], dtype="bool")) if return_mask else tokens
