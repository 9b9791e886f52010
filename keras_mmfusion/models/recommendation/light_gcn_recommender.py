import keras
from keras import ops

from keras_mmfusion.layers.graph import GCNLayer, normalize_graph
from keras_mmfusion.models.recommendation.bpr_recommender import BPRRecommender


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class LightGCNRecommender(BPRRecommender):
    """Matrix factorization, smoothed over the graph of users and items.

    ```
    E⁰ = [p; q],  Eˡ⁺¹ = D^-½ A D^-½ Eˡ,  E = mean of E⁰ ... Eᴸ
    s_ui = E_u · E_i
    ```

    `A` connects each user with the items the user interacted with. It is trained with `BPRLoss`.

    Args:
        dim: int. The size of the vectors.
        num_layers: int. L.
        **kwargs: passed to `Recommender`.

    Call arguments: see `Recommender`.

    Reference:
        He et al., "LightGCN: Simplifying and Powering Graph Convolution Network for
        Recommendation", 2020, equations 3 to 5.
    """

    def __init__(self, dim=64, num_layers=3, **kwargs):
        super().__init__(dim, **kwargs)
        self.num_layers = num_layers
        self.convolution = GCNLayer(use_bias=False, self_loops=False, name="convolution")

    def build_vectors(self):
        super().build_vectors()
        self.convolution.build({"node_features": (None, self.dim), "edge_index": (2, None)})

    def compute_vectors(self, training=False):
        return self.smooth(self.user_table, self.mask_new_items(self.item_table))

    def smooth(self, users, items, edge_mask=None):
        """Averages the vectors of users and items over all layers.

        Args:
            users, items: float tensors `(users, dim)` and `(items, dim)`.
            edge_mask: bool tensor `(interactions,)`, `False` for interactions to ignore, or `None`.

        Returns:
            Smoothed vectors `(users, dim)` and `(items, dim)`.
        """
        user_nodes, item_nodes = (
            self.interaction_index[0],
            self.interaction_index[1] + self.num_users,
        )
        x = total = ops.concatenate([users, items], axis=0)
        graph = {
            "node_features": x,
            "edge_index": ops.stack(
                [
                    ops.concatenate([user_nodes, item_nodes]),
                    ops.concatenate([item_nodes, user_nodes]),
                ]
            ),
        }
        if edge_mask is not None:
            graph["edge_mask"] = ops.concatenate([edge_mask, edge_mask])
        graph = normalize_graph(graph, self_loops=False)  # Shared by all layers.
        for _ in range(self.num_layers):
            x = self.convolution({**graph, "node_features": x})
            total = total + x
        total = total / (self.num_layers + 1)
        return total[: self.num_users], total[self.num_users :]

    def get_config(self):
        return {**super().get_config(), "num_layers": self.num_layers}
