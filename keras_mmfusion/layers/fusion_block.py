import keras
from keras import ops

from keras_mmfusion._checks import check_fraction, check_integer
from keras_mmfusion.layers.cross_modal_exchange import CrossModalExchange
from keras_mmfusion.layers.fusion.fusion_rule import FusionRule, leave_one_out
from keras_mmfusion.layers.fusion.rule_names import rule_named
from keras_mmfusion.layers.fusion.sum_fusion import SumFusion
from keras_mmfusion.layers.fusion.token_fusion_rule import TokenFusionRule
from keras_mmfusion.layers.fusion.transformer_fusion import TransformerFusion
from keras_mmfusion.layers.masks import masked_mean, whole_mask
from keras_mmfusion.layers.modality_projection import ModalityProjection
from keras_mmfusion.layers.multimodal_layer import MultimodalLayer

STRATEGIES = ("early", "late", "hybrid")


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class FusionBlock(MultimodalLayer):
    """Fuses modalities: early, late or hybrid, by any combination rule.

    Each modality's tokens are projected to `h_m = LayerNorm(x_m W_m + b_m)`. Then

    ```
    early    y = rule(h_1, ..., h_n)                       fused at the features
    late     y = rule(d_1, ..., d_n)                       fused at the decision
             d_m = GELU(mean(h_m) U_m + u_m) V_m + v_m     the decision by m alone
    hybrid   h_1, ..., h_n = Exchange(h_1, ..., h_n)       `num_stages` times, then as early,
             or as late with `num_outputs`
    ```

    `Exchange` is `CrossModalExchange`. A rule of pooled vectors gets the mean of each modality's
    tokens, a rule of tokens gets the tokens. Late fusion's default rule sums the decisions with
    learned weights over the modalities that are present.

    Args:
        modalities: sequence of strings. The names of the modalities, in the block's order.
        strategy: `"early"`, `"late"` or `"hybrid"`.
        combine: the rule: a name of `keras_mmfusion.layers.fusion.rule_names`, such as
            `"concat"`, `"gated"` or `"mult"`; or a `FusionRule` of the same modalities.
        dim: int. The size of the projected tokens, and of the output of a rule given by name.
        output: `"pooled"` for a vector, the mean of the tokens of a rule that gives tokens; or
            `"tokens"`, one token for a rule that gives a vector.
        num_outputs: int. The size of a decision, such as the number of classes; for late and
            hybrid fusion.
        num_stages: int. The stages of hybrid fusion.
        num_heads: int. Attention heads; must divide `dim`.
        dropout: float. Dropout of the projected tokens, and in Transformer blocks.
        placeholders: bool. Whether a learned token stands in for a missing modality.

    Call arguments:
        inputs: dict, modality -> float tensor `(batch, tokens, dim)`, or `(batch, dim)`, one
            token; dims may differ. `None`, or no entry, for a modality that the whole batch is
            without; in the first call, or in the functional model, every modality needs its entry.
        mask: dict, modality -> bool tensor `(batch, tokens)`, `True` for a real token, or
            `(batch,)`. All `False` where a sample is without the modality. No entry, or `None`,
            where nothing is missing. Whatever stands in a masked place, NaN included, never
            reaches the output.
        return_mask: bool. Also return which of the output's tokens are real, with
            `output="tokens"`.
        return_shares: bool. Also return each modality's share in the output: the rule's own
            weights, where it has them, otherwise how far the output moves without the modality
            (`FusionRule.shares`), as always for hybrid fusion, whose features are mixed before
            they are weighed. A placeholder has a share like what it stands for.

    Output shape:
        `(batch, dim)`, `(batch, num_outputs)` for decisions, or tokens
        `(batch, output_tokens, dim)`. With `return_mask`, a tuple of that and bool
        `(batch, output_tokens)`; with `return_shares` a tuple that ends in float32
        `(batch, modalities)`.

    Raises:
        ValueError: if an argument does not fit the strategy, if a modality or a rule is unknown,
            if a mask has another shape, or if all modalities are `None`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion import FusionBlock
    >>> block = FusionBlock(("image", "text"), strategy="early", combine="gated", dim=8)
    >>> inputs = {"image": np.ones((2, 49, 20)), "text": np.ones((2, 5, 12))}
    >>> mask = {"text": np.array([[True] * 5, [False] * 5])}  # the second has no text
    >>> fused, shares = block(inputs, mask=mask, return_shares=True)
    >>> tuple(fused.shape)
    (2, 8)
    >>> np.asarray(shares)[1].tolist()
    [1.0, 0.0]

    Reference:
        Baltrušaitis et al., "Multimodal Machine Learning: A Survey and Taxonomy", 2019, section 6.
    """

    input_ranks = (2, 3)

    def __init__(
        self,
        modalities,
        strategy="early",
        combine="weighted_sum",
        dim=128,
        output="pooled",
        num_outputs=None,
        num_stages=2,
        num_heads=4,
        dropout=0.0,
        placeholders=False,
        **kwargs,
    ):
        super().__init__(modalities, **kwargs)
        self._check_choice("strategy", strategy, STRATEGIES)
        self._check_choice("output", output, ("pooled", "tokens"))
        self.strategy = strategy
        self.combine = combine
        self.dim = check_integer(self, "dim", dim)
        self.output_kind = output
        self.num_outputs = (
            None if num_outputs is None else check_integer(self, "num_outputs", num_outputs)
        )
        self.num_stages = check_integer(self, "num_stages", num_stages)
        self.num_heads = check_integer(self, "num_heads", num_heads)
        self.dropout = check_fraction(self, "dropout", dropout)
        self.placeholders = bool(placeholders)
        self._check_strategy()
        self.rule = self._make_rule()

    def _check_choice(self, argument, value, choices):
        if value not in choices:
            raise ValueError(
                f"FusionBlock: `{argument}` must be one of {', '.join(map(repr, choices))}. "
                f"Received: {value!r}"
            )

    def _check_strategy(self):
        if self.strategy == "late" and self.num_outputs is None:
            raise ValueError(
                "FusionBlock: late fusion combines decisions; give their size as `num_outputs`, "
                "such as the number of classes."
            )
        if self.strategy == "early" and self.num_outputs is not None:
            raise ValueError(
                "FusionBlock: early fusion makes no decision. Leave `num_outputs` out and put a "
                "`Dense` layer behind the block."
            )
        if self.num_outputs is not None and self.output_kind == "tokens":
            raise ValueError("FusionBlock: decisions are vectors; leave `output='tokens'` out.")
        if self.dim % self.num_heads:
            raise ValueError(
                "FusionBlock: `num_heads` must divide `dim`. Received: "
                f"num_heads={self.num_heads}, dim={self.dim}"
            )

    def _make_rule(self):
        rule = self.combine
        if isinstance(rule, str):
            return self._rule_named(rule)
        if not isinstance(rule, FusionRule):
            raise ValueError(
                "FusionBlock: `combine` must be the name of a rule or a `FusionRule`. Received: "
                f"{rule!r}"
            )
        self._check_kind(type(rule))
        if set(rule.modalities) != set(self.modalities):
            raise ValueError(
                f"FusionBlock: the rule of `combine` is for {rule.modalities}, the block for "
                f"{self.modalities}. Both must have the same modalities."
            )
        return rule

    def _check_kind(self, rule_class):
        if self.num_outputs is not None and issubclass(rule_class, TokenFusionRule):
            raise ValueError(
                f"FusionBlock: `combine` is {rule_class.__name__}, which fuses tokens, but "
                "decisions are vectors. Choose a rule for vectors, such as 'weighted_sum', or "
                "leave `num_outputs` out with early or hybrid fusion."
            )

    def _rule_named(self, name):
        rule_class, settings = rule_named(name)
        self._check_kind(rule_class)
        settings = {**settings, "dtype": self.dtype_policy, "name": "rule"}
        if issubclass(rule_class, TransformerFusion):
            settings |= {"num_heads": self.num_heads, "dropout": self.dropout}
        size = self.dim
        if self.num_outputs is not None:
            # Sums are of the decisions as they are.
            size = None if issubclass(rule_class, SumFusion) else self.num_outputs
        return rule_class(self.modalities, output_dim=size, **settings)

    def build(self, inputs_shape):
        dims = self.read_dims(inputs_shape)
        self.projection = ModalityProjection(
            self.modalities,
            self.dim,
            self.dropout,
            self.placeholders,
            dtype=self.dtype_policy,
            name="projection",
        )
        self.projection.build([(None, None, dim) for dim in dims.values()])
        tokens_shape = (None, None, self.dim)
        self.stages = []
        for i in range(self.num_stages if self.strategy == "hybrid" else 0):
            stage = CrossModalExchange(
                self.modalities,
                self.num_heads,
                self.dropout,
                dtype=self.dtype_policy,
                name=f"stage_{i}",
            )
            stage.build([tokens_shape] * len(dims))
            self.stages.append(stage)
        if self.num_outputs is not None:
            projected = dict.fromkeys(dims, self.dim)
            self.hidden_heads = self.dense_each("hidden", projected, self.dim, activation="gelu")
            self.heads = self.dense_each("head", projected, self.num_outputs)
        if not self.rule.built:  # One out of a configuration is.
            self.rule.build(self._rule_shapes(inputs_shape))

    def _rule_shapes(self, inputs_shape):
        shapes = {}
        for name in self.modalities:
            batch_size, *tokens = inputs_shape[name][:-1]
            if self.num_outputs is not None:
                shapes[name] = (batch_size, self.num_outputs)
            elif isinstance(self.rule, TokenFusionRule):
                shapes[name] = (batch_size, *(tokens or [1]), self.dim)
            else:
                shapes[name] = (batch_size, self.dim)
        return shapes

    def call(self, inputs, mask=None, return_mask=False, return_shares=False, training=None):
        if return_mask and self.output_kind == "pooled":
            raise ValueError("FusionBlock: `return_mask` needs output='tokens'; vectors have none.")
        values, present = self.projection(*self.read(inputs, mask), training=training)
        tokens, tokens_mask = self._fuse(values, present)
        results = [tokens if self.output_kind == "tokens" else masked_mean(tokens, tokens_mask)]
        if return_mask:
            results.append(whole_mask(tokens, tokens_mask))
        if return_shares:
            results.append(self._shares(values, present))
        return tuple(results) if len(results) > 1 else results[0]

    def decide(self, inputs, mask=None):
        """The decision of each modality, before they are combined.

        Args:
            inputs, mask: as for the call.

        Returns:
            Dict, modality -> float tensor `(batch, num_outputs)`, of no use for a sample that is
            without the modality.
        """
        if self.num_outputs is None:
            raise ValueError("FusionBlock: there are decisions only with `num_outputs`.")
        values, present = self.projection(*self.read(inputs, mask))
        decisions = self._decisions(self._exchange(values, present), present)
        return dict(zip(self.modalities, decisions, strict=True))

    def _exchange(self, values, present):
        for stage in self.stages:
            values = stage(values, present)
        return values

    def _fuse(self, values, present):
        """The fused tokens and their mask or `None`; of a rule for vectors, one token."""
        inputs, mask = self._rule_inputs(self._exchange(values, present), present)
        if isinstance(self.rule, TokenFusionRule):
            return self.rule(inputs, mask=mask, return_mask=True)
        return ops.expand_dims(self.rule(inputs, mask=mask), 1), None

    def _rule_inputs(self, values, present):
        """What the rule is called with: decisions, means or tokens, and their masks."""
        if not isinstance(self.rule, TokenFusionRule):
            values = (
                [masked_mean(x, here) for x, here in zip(values, present, strict=True)]
                if self.num_outputs is None
                else self._decisions(values, present)
            )
            present = [None if here is None else ops.any(here, axis=1) for here in present]
        return (
            dict(zip(self.modalities, values, strict=True)),
            dict(zip(self.modalities, present, strict=True)),
        )

    def _decisions(self, values, present):
        return [
            head(hidden(masked_mean(x, here)))
            for head, hidden, x, here in zip(
                self.heads, self.hidden_heads, values, present, strict=True
            )
        ]

    def _shares(self, values, present):
        if self.strategy != "hybrid":
            shares = self.rule.shares(*self._rule_inputs(values, present))
            # A rule that was given may have the modalities in another order.
            order = [self.rule.modalities.index(name) for name in self.modalities]
            return ops.take(shares, order, axis=1)
        present = [whole_mask(*each) for each in zip(values, present, strict=True)]
        return leave_one_out(
            lambda mask: masked_mean(*self._fuse(values, list(mask.values()))),
            dict(zip(self.modalities, present, strict=True)),
        )

    def compute_output_shape(self, inputs_shape):
        shape = tuple(self.rule.compute_output_shape(self._rule_shapes(inputs_shape)))
        if self.output_kind == "tokens":
            return shape if len(shape) == 3 else (shape[0], 1, shape[1])
        return shape[0], shape[-1]

    def compute_output_spec(
        self, inputs, mask=None, return_mask=False, return_shares=False, **kwargs
    ):
        shape = self.compute_output_shape({name: value.shape for name, value in inputs.items()})
        results = [keras.KerasTensor(shape, dtype=self.compute_dtype)]
        if return_mask:
            results.append(keras.KerasTensor(shape[:2], dtype="bool"))
        if return_shares:
            shares_shape = (shape[0], len(self.modalities))
            results.append(keras.KerasTensor(shares_shape, dtype="float32"))
        return tuple(results) if len(results) > 1 else results[0]

    def get_config(self):
        combine = self.combine
        if not isinstance(combine, str):
            combine = keras.saving.serialize_keras_object(combine)
        return {
            **super().get_config(),
            "strategy": self.strategy,
            "combine": combine,
            "dim": self.dim,
            "output": self.output_kind,
            "num_outputs": self.num_outputs,
            "num_stages": self.num_stages,
            "num_heads": self.num_heads,
            "dropout": self.dropout,
            "placeholders": self.placeholders,
        }

    @classmethod
    def from_config(cls, config):
        combine = config["combine"]
        if isinstance(combine, dict):
            combine = keras.saving.deserialize_keras_object(combine)
        return cls(**{**config, "combine": combine})
