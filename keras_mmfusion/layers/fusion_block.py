import keras
from keras import ops

from keras_mmfusion._checks import check_choice, check_divisor, check_fraction, check_integer
from keras_mmfusion.layers.cross_modal_exchange import CrossModalExchange
from keras_mmfusion.layers.fusion.fusion_rule import FusionRule, leave_one_out
from keras_mmfusion.layers.fusion.rule_names import get_rule
from keras_mmfusion.layers.fusion.sum_fusion import SumFusion
from keras_mmfusion.layers.fusion.token_fusion_rule import TokenFusionRule
from keras_mmfusion.layers.fusion.transformer_fusion import TransformerFusion
from keras_mmfusion.layers.masks import average_tokens, ensure_mask
from keras_mmfusion.layers.modality_projection import ModalityProjection
from keras_mmfusion.layers.multimodal_layer import MultimodalLayer

STRATEGIES = ("early", "late", "hybrid")


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class FusionBlock(MultimodalLayer):
    """Fuses modalities early, late or in a hybrid way, with any combination rule.

    Each modality's tokens are projected to `h_m = LayerNorm(x_m W_m + b_m)`. Then

    ```
    early    y = rule(h_1, ..., h_n)                       fusion of features
    late     y = rule(d_1, ..., d_n)                       fusion of decisions
             d_m = GELU(mean(h_m) U_m + u_m) V_m + v_m     the decision of modality m
    hybrid   h_1, ..., h_n = Exchange(h_1, ..., h_n)       `num_stages` times, then as early,
             or as late with `num_outputs`
    ```

    `Exchange` is `CrossModalExchange`. A rule for vectors combines the means of the modalities'
    tokens, a rule for tokens the tokens. The default rule is a weighted sum, with learned weights,
    over the modalities that are not missing.

    Args:
        modalities: sequence of strings. The names of the modalities, in the block's order.
        strategy: `"early"`, `"late"` or `"hybrid"`.
        combine: the rule: a name from `keras_mmfusion.layers.fusion.list_rules()`, such as
            `"concat"`, `"gated"` or `"mult"`; or a `FusionRule` of the same modalities.
        dim: int. The size of the projected tokens, and of the output of a rule given by name.
        output: `"pooled"` for a vector, which is the mean of the tokens of a rule for tokens; or
            `"tokens"`, which is one token for a rule for vectors.
        num_outputs: int. The size of a decision, such as the number of classes; for late and
            hybrid fusion.
        num_stages: int. The number of `Exchange` layers of hybrid fusion.
        num_heads: int. Number of attention heads; must divide `dim`.
        dropout: float in [0, 1). Dropout rate of the projected tokens, and in Transformer blocks.
        placeholders: bool. Whether a learned token replaces a missing modality.

    Call arguments:
        inputs: dict, modality -> float tensor `(batch, tokens, dim)`, or `(batch, dim)` for one
            token; dims may differ. `None`, or no entry, for a modality that is missing from the
            whole batch. The first call, or a functional model, needs all modalities.
        mask: dict, modality -> bool tensor `(batch, tokens)`, `True` for a real token, or
            `(batch,)`. All `False` where a sample lacks the modality. `None`, or no entry, if
            nothing is masked. Masked tokens, NaN included, do not affect the output.
        return_mask: bool. Whether to also return the mask of the output tokens, with
            `output="tokens"`.
        return_shares: bool. Whether to also return each modality's share in the output: the
            rule's weights if it has any, otherwise the change of the output without the modality
            (`FusionRule.compute_shares`). Hybrid fusion, whose rule combines mixed features, always
            uses the latter. A placeholder has the share of its modality.
        training: bool. Whether dropout is active.

    Output shape:
        `(batch, dim)`, `(batch, num_outputs)` for decisions, or tokens
        `(batch, output_tokens, dim)`. With `return_mask`, a tuple of that and bool
        `(batch, output_tokens)`; with `return_shares` a tuple that ends in float32
        `(batch, modalities)`.

    Raises:
        ValueError: if an argument does not fit the strategy, if a modality or a rule is unknown,
            if a mask has the wrong shape, or if all modalities are missing.

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
        self.strategy = check_choice(self, "strategy", strategy, STRATEGIES)
        self.combine = combine
        self.dim = check_integer(self, "dim", dim)
        self.output_kind = check_choice(self, "output", output, ("pooled", "tokens"))
        if num_outputs is not None:
            num_outputs = check_integer(self, "num_outputs", num_outputs)
        self.num_outputs = num_outputs
        self.num_stages = check_integer(self, "num_stages", num_stages)
        self.num_heads = check_integer(self, "num_heads", num_heads)
        self.dropout = check_fraction(self, "dropout", dropout)
        self.placeholders = bool(placeholders)
        self._check_strategy()
        self.rule = self._make_rule()

    def _check_strategy(self):
        if self.strategy == "late" and self.num_outputs is None:
            raise ValueError(
                "FusionBlock: late fusion combines decisions. Set `num_outputs` to their size, "
                "such as the number of classes."
            )
        if self.strategy == "early" and self.num_outputs is not None:
            raise ValueError(
                "FusionBlock: early fusion does not compute decisions. Remove `num_outputs` and "
                "add a `Dense` head after the block."
            )
        if self.num_outputs is not None and self.output_kind == "tokens":
            raise ValueError("FusionBlock: decisions are vectors. Remove `output='tokens'`.")
        check_divisor(self, "num_heads", self.num_heads, "dim", self.dim)

    def _make_rule(self):
        rule = self.combine
        if isinstance(rule, str):
            return self._make_named_rule(rule)
        if not isinstance(rule, FusionRule):
            raise ValueError(
                "FusionBlock: `combine` must be the name of a rule or a `FusionRule`. Received: "
                f"{rule!r}"
            )
        self._check_rule_class(type(rule))
        if set(rule.modalities) != set(self.modalities):
            raise ValueError(
                f"FusionBlock: `combine` has the modalities {rule.modalities}, the block has "
                f"{self.modalities}. Both must have the same modalities."
            )
        return rule

    def _check_rule_class(self, rule_class):
        if self.num_outputs is not None and issubclass(rule_class, TokenFusionRule):
            raise ValueError(
                f"FusionBlock: `combine` is {rule_class.__name__}, which fuses tokens, but "
                "decisions are vectors. Use a rule for vectors, such as 'weighted_sum', or early "
                "or hybrid fusion without `num_outputs`."
            )

    def _make_named_rule(self, name):
        rule_class, settings = get_rule(name)
        self._check_rule_class(rule_class)
        settings = {**settings, "dtype": self.dtype_policy, "name": "rule"}
        if issubclass(rule_class, TransformerFusion):
            settings |= {"num_heads": self.num_heads, "dropout": self.dropout}
        output_dim = self.dim
        if self.num_outputs is not None:
            # Sums do not project the decisions.
            output_dim = None if issubclass(rule_class, SumFusion) else self.num_outputs
        return rule_class(self.modalities, output_dim=output_dim, **settings)

    def build(self, inputs_shape):
        dims = self.infer_dims(inputs_shape)
        self.projection = ModalityProjection(
            self.modalities,
            self.dim,
            self.dropout,
            self.placeholders,
            dtype=self.dtype_policy,
            name="projection",
        )
        self.projection.build({name: (None, None, dim) for name, dim in dims.items()})
        projected_dims = dict.fromkeys(dims, self.dim)
        self.stages = []
        for i in range(self.num_stages if self.strategy == "hybrid" else 0):
            stage = CrossModalExchange(
                self.modalities,
                self.num_heads,
                self.dropout,
                dtype=self.dtype_policy,
                name=f"stage_{i}",
            )
            stage.build(dict.fromkeys(dims, (None, None, self.dim)))
            self.stages.append(stage)
        if self.num_outputs is not None:
            self.hidden_heads = self.make_dense(
                "hidden", projected_dims, self.dim, activation="gelu"
            )
            self.heads = self.make_dense("head", projected_dims, self.num_outputs)
        if not self.rule.built:  # A deserialized rule may already be built.
            self.rule.build(self._compute_rule_shapes(inputs_shape))

    def _compute_rule_shapes(self, inputs_shape):
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
            raise ValueError(
                "FusionBlock: `return_mask` needs output='tokens', since vectors have no mask."
            )
        tokens, mask = self.projection(*self.prepare_inputs(inputs, mask), training=training)
        fused, fused_mask = self._fuse(tokens, mask, training)
        results = [fused if self.output_kind == "tokens" else average_tokens(fused, fused_mask)]
        if return_mask:
            results.append(ensure_mask(fused, fused_mask))
        if return_shares:
            results.append(self._compute_shares(tokens, mask))
        return tuple(results) if len(results) > 1 else results[0]

    def decide(self, inputs, mask=None):
        """Computes the decision of each modality, before they are combined.

        Args:
            inputs, mask: as for the call.

        Returns:
            Dict, modality -> float tensor `(batch, num_outputs)`, undefined for a sample that
            lacks the modality.
        """
        if self.num_outputs is None:
            raise ValueError("FusionBlock: `decide` needs `num_outputs`.")
        tokens, mask = self.projection(*self.prepare_inputs(inputs, mask))
        return self._compute_decisions(self._exchange(tokens, mask), mask)

    def _exchange(self, tokens, mask, training=None):
        for stage in self.stages:
            tokens = stage(tokens, mask, training=training)
        return tokens

    def _fuse(self, tokens, mask, training=None):
        """Returns the fused tokens, one for a rule for vectors, and their mask or `None`."""
        inputs, mask = self._make_rule_inputs(self._exchange(tokens, mask, training), mask)
        if isinstance(self.rule, TokenFusionRule):
            return self.rule(inputs, mask=mask, return_mask=True)
        return ops.expand_dims(self.rule(inputs, mask=mask), 1), None

    def _make_rule_inputs(self, tokens, mask):
        """Converts tokens and masks to the inputs of the rule: decisions, means or tokens."""
        if isinstance(self.rule, TokenFusionRule):
            return tokens, mask
        if self.num_outputs is not None:
            vectors = self._compute_decisions(tokens, mask)
        else:
            vectors = {name: average_tokens(tokens[name], mask[name]) for name in self.modalities}
        return vectors, {
            name: None if mask[name] is None else ops.any(mask[name], axis=1)
            for name in self.modalities
        }

    def _compute_decisions(self, tokens, mask):
        decisions = {}
        for name in self.modalities:
            vector = average_tokens(tokens[name], mask[name])
            decisions[name] = self.heads[name](self.hidden_heads[name](vector))
        return decisions

    def _compute_shares(self, tokens, mask):
        if self.strategy != "hybrid":
            shares = self.rule.compute_shares(*self._make_rule_inputs(tokens, mask))
            # A rule may have the modalities in another order than the block.
            order = [self.rule.modalities.index(name) for name in self.modalities]
            return ops.take(shares, order, axis=1)
        mask = {name: ensure_mask(tokens[name], mask[name]) for name in self.modalities}
        return leave_one_out(lambda mask: average_tokens(*self._fuse(tokens, mask)), mask)

    def compute_output_shape(self, inputs_shape):
        shape = tuple(self.rule.compute_output_shape(self._compute_rule_shapes(inputs_shape)))
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
