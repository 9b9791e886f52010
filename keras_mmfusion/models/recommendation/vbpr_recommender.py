import keras
from keras import ops

from keras_mmfusion._checks import check_integer
from keras_mmfusion.models.recommendation.recommender import Recommender


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class VBPRRecommender(Recommender):
    """Matrix factorization with item features.

    ```
    s_ui = β_i + γ_u · γ_i + θ_u · (E f_i) + β' · f_i
    ```

    `f_i` concatenates the item's features of all modalities, zeros for a missing one. It is trained
    with `BPRLoss`. An item without interactions has `β_i = 0` and `γ_i = 0`.

    Args:
        dim: int. The size of `γ` and of `θ`.
        **kwargs: passed to `Recommender`.

    Call arguments: see `Recommender`.

    Raises:
        ValueError: if `adapt` gets no features.

    Reference:
        He and McAuley, "VBPR: Visual Bayesian Personalized Ranking from Implicit Feedback", 2016,
        equation 4.
    """

    uses_features = True

    def __init__(self, dim=64, **kwargs):
        super().__init__(**kwargs)
        self.dim = check_integer(self, "dim", dim)

    def build_vectors(self):
        self.user_table = self.add_table(self.num_users, 2 * self.dim, "user_table")
        self.item_table = self.add_table(self.num_items, self.dim, "item_table")
        self.item_bias = self.add_table(self.num_items, 1, "item_bias", initializer="zeros")
        dim = sum(self.feature_dims.values())
        self.projection = self.add_table(dim, self.dim, "projection")
        self.feature_bias = self.add_table(dim, 1, "feature_bias", initializer="zeros")

    def compute_vectors(self, training=False):
        features = ops.concatenate([self.features[name] for name in self.feature_dims], axis=1)
        bias = self.mask_new_items(self.item_bias) + ops.matmul(features, self.feature_bias)
        projected = ops.matmul(features, self.projection)
        items = ops.concatenate([self.mask_new_items(self.item_table), projected, bias], axis=1)
        return ops.pad(self.user_table, ((0, 0), (0, 1)), constant_values=1.0), items

    def get_config(self):
        return {**super().get_config(), "dim": self.dim}
