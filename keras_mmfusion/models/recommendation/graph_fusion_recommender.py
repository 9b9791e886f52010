import keras
import numpy as np
from keras import ops

from keras_mmfusion.graphs.neighbor_edges import connect_neighbors
from keras_mmfusion.layers.alignment.alignment import normalize_vectors
from keras_mmfusion.layers.graph.core.edge_list import EdgeList
from keras_mmfusion.layers.graph.core.segment_ops import segment_sum
from keras_mmfusion.models.recommendation.light_gcn_recommender import LightGCNRecommender


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class GraphFusionRecommender(LightGCNRecommender):
    """Fuses item features of several modalities over a user-item graph and an item graph.

    ```
    x_i = q_i + Σ_m f_im W_m
    E⁰ = [p; x],  Eˡ⁺¹ = D^-½ A D^-½ Eˡ,  E = mean of E⁰ ... Eᴸ      user-item graph
    z_i = E_i + mean of x_j over the nearest neighbors j of i         item graph
    s_ui = cos(E_u, z_i) / τ + w log(1 + n_i)         n_i: interactions of item i
    ```

    The item graph connects each item with its nearest neighbors by the cosine similarity of their
    concatenated features; it is computed once and stays fixed. In training, edges of the user-item
    graph are dropped: an interaction is kept with a probability proportional to
    `1 / √(degree_u degree_i)`, since interactions with popular items are less informative. An item
    without interactions has `q_i = 0` and is represented by its features and its neighbors. Train
    the model with `MultinomialLoss` on `UserSequence`, a softmax over all items. The term
    `w log(1 + n_i)` accounts for popularity, so that the vectors learn personal preferences.

    Args:
        dim: int. The size of the vectors.
        num_layers: int. L.
        neighbors: int. Number of nearest neighbors of each item.
        temperature: float. τ.
        popularity_weight: float. w; 0 scores by the cosine alone.
        edge_dropout: float in [0, 1). Share of the interactions dropped in training.
        seed: int or `None`. Seed of the dropout.
        **kwargs: passed to `Recommender`.

    Call arguments: see `Recommender`.

    Raises:
        ValueError: if `adapt` gets no features.

    Reference:
        Zhou and Shen, "A Tale of Two Graphs: Freezing and Denoising Graph Structures for
        Multimodal Recommendation" (FREEDOM), 2023, sections 3.1 and 3.2. Menon et al., "Long-tail
        Learning via Logit Adjustment", 2021, equation 10.
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
            name: self.add_table(dim, self.dim, f"{name}_projection")
            for name, dim in self.feature_dims.items()
        }
        shape = (self.num_items * self.neighbors,)
        self.neighbor_index = self.add_constant(shape, "int32", "neighbor_index")
        self.neighbor_weight = self.add_constant(shape, "float32", "neighbor_weight")
        self.log_popularity = self.add_constant((self.num_items,), "float32", "log_popularity")

    def adapt_items(self):
        item_index = ops.convert_to_numpy(self.interaction_index)[1]
        self.log_popularity.assign(np.log1p(np.bincount(item_index, minlength=self.num_items)))
        features = np.concatenate([ops.convert_to_numpy(x) for x in self.features.values()], axis=1)
        (sources, targets), _ = connect_neighbors(
            features, neighbors=self.neighbors, source_mask=np.any(features != 0, axis=1)
        )
        # Edges are sorted by target; column counts the edges of each target from 0.
        count = np.bincount(targets, minlength=self.num_items)
        column = np.arange(len(targets)) - np.repeat(np.cumsum(count) - count, count)
        index = np.zeros((self.num_items, self.neighbors), "int32")
        weight = np.zeros((self.num_items, self.neighbors), "float32")
        index[targets, column] = sources
        weight[targets, column] = 1 / count[targets]
        self.neighbor_index.assign(index.ravel())
        self.neighbor_weight.assign(weight.ravel())

    def compute_vectors(self, training=False):
        items = self.mask_new_items(self.item_table)
        edge_mask = self._draw_edge_mask() if training and self.edge_dropout else None
        for name, projection in self.projections.items():
            items = items + ops.matmul(self.features[name], projection)
        item_graph = EdgeList(
            ops.convert_to_tensor(self.neighbor_index),
            ops.repeat(ops.arange(self.num_items, dtype="int32"), self.neighbors),
            self.num_items,
            self.num_items,
            ops.convert_to_tensor(self.neighbor_weight),
        )
        users, smoothed_items = self.smooth(self.user_table, items, edge_mask)
        users = normalize_vectors(users) / self.temperature
        items = normalize_vectors(smoothed_items + item_graph.sum(items))
        # A last dimension, 1 for every user, adds the items' popularity to the dot products.
        popularity = self.popularity_weight * ops.expand_dims(self.log_popularity, 1)
        return (
            ops.pad(users, ((0, 0), (0, 1)), constant_values=1.0),
            ops.concatenate([items, popularity], axis=1),
        )

    def _draw_edge_mask(self):
        users, items = self.interaction_index[0], self.interaction_index[1]
        ones = ops.ones_like(users, "float32")
        degrees = [
            ops.take(segment_sum(ones, ends, size), ends)
            for ends, size in ((users, self.num_users), (items, self.num_items))
        ]
        keep_rate = ops.rsqrt(degrees[0] * degrees[1])
        keep_rate = keep_rate / ops.mean(keep_rate) * (1 - self.edge_dropout)
        return keras.random.uniform(keep_rate.shape, seed=self.seed_generator) < keep_rate

    def get_config(self):
        return {
            **super().get_config(),
            "neighbors": self.neighbors,
            "temperature": self.temperature,
            "popularity_weight": self.popularity_weight,
            "edge_dropout": self.edge_dropout,
            "seed": self.seed,
        }
