import keras
from keras import ops

from keras_mmfusion._checks import check_integer
from keras_mmfusion.layers.apply_to_rows import apply_to_rows
from keras_mmfusion.layers.fusion.transformer_fusion import TransformerFusion
from keras_mmfusion.layers.masks import joined_mask


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class QFormer(TransformerFusion):
    """Q-Former: learned queries that ask the modalities' tokens, and each other.

    With `z = [x_1 W_1 + b_1; ...; x_n W_n + b_n]`, the tokens of all modalities, and learned
    queries `q`, in each layer:

    ```
    q = q + SelfAttention(LayerNorm(q))
    q = q + CrossAttention(LayerNorm(q), LayerNorm(z))     in layers 1, 1 + cross_every, ...
    q = q + MLP(LayerNorm(q))
    ```

    The output is the layer normalization of `q`. It depends on the modalities as sets of tokens,
    not on their order. A sample without any modality gives what the queries make of themselves.

    Args:
        modalities, output_dim, num_layers, num_heads, dropout: see `TransformerFusion`.
        num_queries: int. The number of learned queries.
        cross_every: int. Every how many layers the queries attend to the modalities.

    Call arguments: see `TokenFusionRule`.

    Output shape:
        `(batch, num_queries, output_dim)`. All tokens are real.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers.fusion import QFormer
    >>> fusion = QFormer(("image", "audio"), output_dim=8, num_queries=3)
    >>> tuple(fusion({"image": np.ones((2, 9, 6)), "audio": np.ones((2, 5, 3))}).shape)
    (2, 3, 8)

    Reference:
        Li et al., "BLIP-2: Bootstrapping Language-Image Pre-training with Frozen Image Encoders
        and Large Language Models", 2023, section 3.1 and figure 2; here of several modalities,
        and pre-norm, where BLIP-2 starts from BERT, which is post-norm.
    """

    def __init__(self, modalities, output_dim, num_queries=32, cross_every=2, **kwargs):
        super().__init__(modalities, output_dim, **kwargs)
        self.num_queries = check_integer(self, "num_queries", num_queries)
        self.cross_every = check_integer(self, "cross_every", cross_every)

    def build_rule(self, dims):
        self.projections = self.dense_each("projection", dims, self.output_dim)
        self.queries = self.learned_tokens(self.num_queries, "queries")
        self.blocks = []
        for i in range(self.num_layers):
            crosses = i % self.cross_every == 0
            pair = [self.block(f"self_block_{i}", mlp=not crosses)]
            if crosses:
                pair.append(self.block(f"cross_block_{i}", context_dim=self.output_dim))
            self.blocks.append(pair)
        self.output_norm = self.norm()

    def combine(self, values, present):
        batch_size = ops.shape(values[0])[0]
        tokens = [apply_to_rows(p, x) for p, x in zip(self.projections, values, strict=True)]
        context, mask = ops.concatenate(tokens, axis=1), joined_mask(values, present)
        queries = ops.repeat(ops.cast(self.queries, self.compute_dtype), batch_size, axis=0)
        for own, *cross in self.blocks:
            queries = own(queries)
            for block in cross:
                queries = block(queries, context, context_mask=mask)
        return self.output_norm(queries), None

    def count_tokens(self, counts):
        return self.num_queries

    def get_config(self):
        return {
            **super().get_config(),
            "num_queries": self.num_queries,
            "cross_every": self.cross_every,
        }
