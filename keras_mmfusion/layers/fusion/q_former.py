import keras
from keras import ops

from keras_mmfusion._checks import check_integer
from keras_mmfusion.layers.fusion.transformer_fusion import TransformerFusion
from keras_mmfusion.layers.masks import concatenate_masks


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class QFormer(TransformerFusion):
    """Q-Former: learned queries attend to each other and to the tokens of all modalities.

    With `z = [x_1 W_1 + b_1; ...; x_n W_n + b_n]`, the tokens of all modalities, and learned
    queries `q`, in each layer:

    ```
    q = q + SelfAttention(LayerNorm(q))
    q = q + CrossAttention(LayerNorm(q), LayerNorm(z))     in layers 1, 1 + cross_every, ...
    q = q + MLP(LayerNorm(q))
    ```

    The output is the layer normalization of `q`. It is invariant to the order of the tokens of a
    modality. For a sample without any modality, the queries attend only to each other.

    Args:
        modalities, output_dim, num_layers, num_heads, dropout: see `TransformerFusion`.
        num_queries: int. The number of learned queries.
        cross_every: int. The queries attend to the modalities in every `cross_every`-th layer.

    Call arguments: see `TokenFusionRule`.

    Output shape:
        `(batch, num_queries, output_dim)`. No token is masked.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.layers.fusion import QFormer
    >>> fusion = QFormer(("image", "audio"), output_dim=8, num_queries=3)
    >>> tuple(fusion({"image": np.ones((2, 9, 6)), "audio": np.ones((2, 5, 3))}).shape)
    (2, 3, 8)

    Reference:
        Li et al., "BLIP-2: Bootstrapping Language-Image Pre-training with Frozen Image Encoders
        and Large Language Models", 2023, section 3.1 and figure 2; here with several modalities,
        and pre-norm, whereas BLIP-2's BERT is post-norm.
    """

    def __init__(
        self,
        modalities,
        output_dim,
        num_queries=32,
        cross_every=2,
        num_layers=2,
        num_heads=4,
        dropout=0.0,
        **kwargs,
    ):
        super().__init__(modalities, output_dim, num_layers, num_heads, dropout, **kwargs)
        self.num_queries = check_integer(self, "num_queries", num_queries)
        self.cross_every = check_integer(self, "cross_every", cross_every)

    def build_rule(self, dims):
        self.projections = self.make_dense("projection", dims, self.output_dim)
        self.queries = self.make_tokens(self.num_queries, "queries")
        self.blocks = []
        for i in range(self.num_layers):
            has_cross = i % self.cross_every == 0
            blocks = [self.make_block(f"self_block_{i}", mlp=not has_cross)]
            if has_cross:
                blocks.append(self.make_block(f"cross_block_{i}", context_dim=self.output_dim))
            self.blocks.append(blocks)
        self.output_norm = self.make_norm()

    def combine(self, inputs, mask):
        context = ops.concatenate(list(self.project(inputs).values()), axis=1)
        context_mask = concatenate_masks(inputs.values(), mask.values())
        queries = self.repeat_tokens(self.queries, inputs)
        for self_block, *cross_blocks in self.blocks:
            queries = self_block(queries)
            for block in cross_blocks:
                queries = block(queries, context, context_mask=context_mask)
        return self.output_norm(queries), None

    def count_tokens(self, counts):
        return self.num_queries

    def get_config(self):
        return {
            **super().get_config(),
            "num_queries": self.num_queries,
            "cross_every": self.cross_every,
        }
