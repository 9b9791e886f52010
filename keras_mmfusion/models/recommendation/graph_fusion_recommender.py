import keras
import numpy as np
from keras import ops

from keras_mmfusion.graphs.neighbor_edges import connect_neighbors
from keras_mmfusion.layers.alignment.alignment import unit_length
from keras_mmfusion.layers.graph.core.edge_list import EdgeList
from keras_mmfusion.layers.graph.core.segment_ops import segment_sum
from keras_mmfusion.models.recommendation.light_gcn_recommender import LightGCNRecommender


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class GraphFusionRecommender(LightGCNRecommender):
    """Features of several modalities fused over two graphs: of users and items, and of items.

    ```
    x_i = q_i + Σ_m f_im W_m
    E⁰ = [p; x],  Eˡ⁺¹ = D^-½ A D^-½ Eˡ,  E = mean of E⁰ ... Eᴸ      users and items
    z_i = E_i + mean of x_j over the items j most like i              items
    s_ui = cos(E_u, z_i) / τ + w log(1 + n_i)         n_i users took i
    ```

    Which items are like each other is found once, by the cosine of their features of all
    modalities one after another, and never changes. In training the graph of users and items is
    thinned: an interaction stays with a probability in proportion to `1 / √(degree_u degree_i)`,
    since one with what everybody takes says little. An item that nobody took has `q_i = 0`: its
    features and the items like it speak for it. Train it with `MultinomialLoss` on
    `UserSequence`: a softmax over all items. What everybody takes is in the score from the start
    by `w log(1 + n_i)`, so that the vectors learn what is left to tell: who takes it.

    Args:
        dim: int. The size of the vectors.
        num_layers: int. L.
        neighbors: int. How many items like it an item looks at.
        temperature: float. τ.
        popularity_weight: float. w; 0 for a score of the cosine alone.
        edge_dropout: float in [0, 1). Share of the interactions that are left out.
        seed: int or `None`, of the dropout.
        **kwargs: passed to `Recommender`.

    Call arguments: see `Recommender`.

    Raises:
        ValueError: if there are no features.

    Reference:
        Zhou and Shen, "A Tale of Two Graphs: Freezing and Denoising Graph Structures for
        Multimodal Recommendation" (FREEDOM), 2023, sections 3.1 and 3.2. Menon et al., "Long-tail
        Learning via Logit Adjustment", 2021, equation 10: the logarithm of the shares in a softmax.
    """

    uses_features = True

    def __init__(
        self,
        dim=64,
        num_layers=2,
        neighbors=10,
        temperature=0.1,
        popularity_weight=0.5,
        edge_dropout=0.0,
        seed=None,
        **kwargs,
    ):
        super().__init__(dim, num_layers, **kwargs)
        self.neighbors = neighbors
        self.temperature = temperature
        self.popularity_weight = popularity_weight
        self.edge_dropout = edge_dropout
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build_vectors(self):
        super().build_vectors()
        self.projections = {
            name: self.table(dim, self.dim, f"{name}_projection")
            for name, dim in self.feature_dims.items()
        }
        shape = (self.num_items * self.neighbors,)
        self.neighbor_index = self.constant(shape, "int32", "neighbor_index")
        self.neighbor_weight = self.constant(shape, "float32", "neighbor_weight")
        self.log_popularity = self.constant((self.num_items,), "float32", "log_popularity")

    def adapt_items(self):
        takers = np.bincount(ops.convert_to_numpy(self.taken)[1], minlength=self.num_items)
        self.log_popularity.assign(np.log1p(takers))
        features = np.concatenate([ops.convert_to_numpy(x) for x in self.features.values()], axis=1)
        (sources, targets), _ = connect_neighbors(
            features, neighbors=self.neighbors, source_mask=np.any(features != 0, axis=1)
        )
        # The edges come target by target; those of a target fill its first places.
        count = np.bincount(targets, minlength=self.num_items)
        place = np.arange(len(targets)) - np.repeat(np.cumsum(count) - count, count)
        index = np.zeros((self.num_items, self.neighbors), "int32")
        weight = np.zeros((self.num_items, self.neighbors), "float32")
        index[targets, place] = sources
        weight[targets, place] = 1 / count[targets]
        self.neighbor_index.assign(index.ravel())
        self.neighbor_weight.assign(weight.ravel())

    def vectors(self, training=False):
        items = self.warm_only(self.item_table)
        edge_mask = self._kept_edges() if training and self.edge_dropout else None
        for name, projection in self.projections.items():
            items = items + ops.matmul(self.features[name], projection)
        like = EdgeList(
            ops.convert_to_tensor(self.neighbor_index),
            ops.repeat(ops.arange(self.num_items, dtype="int32"), self.neighbors),
            self.num_items,
            self.num_items,
            ops.convert_to_tensor(self.neighbor_weight),
        )
        users, smooth = self.smooth(self.user_table, items, edge_mask)
        users = unit_length(users) / self.temperature
        items = unit_length(smooth + like.sum(items))
        # A last place, 1 for every user, adds the items' popularity to the products.
        popularity = self.popularity_weight * ops.expand_dims(self.log_popularity, 1)
        return (
            ops.pad(users, ((0, 0), (0, 1)), constant_values=1.0),
            ops.concatenate([items, popularity], axis=1),
        )

    def _kept_edges(self):
        users, items = self.taken[0], self.taken[1]
        ones = ops.ones_like(users, "float32")
        degrees = [
            ops.take(segment_sum(ones, ends, size), ends)
            for ends, size in ((users, self.num_users), (items, self.num_items))
        ]
        share = ops.rsqrt(degrees[0] * degrees[1])
        share = share / ops.mean(share) * (1 - self.edge_dropout)
        return keras.random.uniform(share.shape, seed=self.seed_generator) < share

    def get_config(self):
        return {
            **super().get_config(),
            "neighbors": self.neighbors,
            "temperature": self.temperature,
            "popularity_weight": self.popularity_weight,
            "edge_dropout": self.edge_dropout,
            "seed": self.seed,
        }
