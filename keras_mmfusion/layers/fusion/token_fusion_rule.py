import keras

from keras_mmfusion.layers.fusion.fusion_rule import FusionRule, leave_one_out
from keras_mmfusion.layers.masks import masked_mean, whole_mask, zero_masked


class TokenFusionRule(FusionRule):
    """What the combination rules of tokens share: sets or sequences of tokens by modality.

    A rule of your own implements `build_rule(dims)`, which makes the weights,
    `combine(values, present)`, the formula, and, if the output's number of tokens is not the sum
    of the modalities', `count_tokens(counts)`.

    Args:
        modalities: sequence of strings. The names of the modalities, in the rule's order.
        output_dim: int. The size of the output's tokens.

    Call arguments:
        inputs: dict, modality -> float tensor `(batch, tokens, dim)`; tokens and dims may
            differ. `None`, or no entry, for a modality that the whole batch is without; in the
            first call, or in the functional model, every modality needs its entry.
        mask: dict, modality -> bool tensor `(batch, tokens)`, `True` for a real token, or
            `(batch,)`. All `False` where a sample is without the modality. No entry, or `None`,
            where nothing is missing. Whatever stands in a masked place, NaN included, never
            reaches the output.
        return_mask: bool. Also return which of the output's tokens are real.

    Output shape:
        `(batch, output_tokens, output_dim)`, zeros where the output's mask is `False`; with
        `return_mask` a tuple of that and the mask, bool `(batch, output_tokens)`. A modality
        that the batch is without counts as one masked token.

    Raises:
        ValueError: if a modality is unknown or has no dim, if a mask has another shape, or if
            all modalities are `None`.
    """

    input_ranks = (3,)

    def combine(self, values, present):
        """The formula.

        Args:
            values: list of tensors `(batch, tokens, dim)` in the order of the modalities, zeros
                where a token is missing.
            present: list of bool tensors `(batch, tokens)`; `None` for a modality of which no
                token is missing.

        Returns:
            Tuple of tokens `(batch, output_tokens, output_dim)` and their mask, `None` where all
            are real.
        """
        raise NotImplementedError(f"{type(self).__name__} must implement `combine`.")

    def count_tokens(self, counts):
        """The number of output tokens for the list of the modalities' numbers, or `None`."""
        return None if None in counts else sum(counts)

    def call(self, inputs, mask=None, return_mask=False):
        tokens, mask = self.combine(*self.read(inputs, mask))
        tokens = zero_masked(tokens, mask)
        return (tokens, whole_mask(tokens, mask)) if return_mask else tokens

    def shares(self, inputs, mask=None):
        """How much each modality has to do with the mean of the output's tokens.

        See `FusionRule.shares`; `y` is that mean.
        """
        values, present = self.gather(inputs, mask)
        present = dict(zip(self.modalities, present, strict=True))
        return leave_one_out(
            lambda mask: masked_mean(*self.call(inputs, mask, return_mask=True)), present
        )

    def compute_output_shape(self, inputs_shape):
        shapes = [inputs_shape[name] for name in self.modalities]
        return shapes[0][0], self.count_tokens([shape[1] for shape in shapes]), self.output_dim

    def compute_output_spec(self, inputs, mask=None, return_mask=False):
        shape = self.compute_output_shape({name: value.shape for name, value in inputs.items()})
        tokens = keras.KerasTensor(shape, dtype=self.compute_dtype)
        return (tokens, keras.KerasTensor(shape[:2], dtype="bool")) if return_mask else tokens
