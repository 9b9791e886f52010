import keras

from keras_mmfusion._checks import check_integer
from keras_mmfusion.models.recommendation.recommender import Recommender


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class BPRRecommender(Recommender):
    """Matrix factorization: a learned vector for each user and each item.

    ```
    s_ui = p_u · q_i
    ```

    It is trained with `BPRLoss` (BPR-MF). An item without interactions has `q_i = 0`.

    Args:
        dim: int. The size of the vectors.
        **kwargs: passed to `Recommender`.

    Call arguments: see `Recommender`.

    Reference:
        Rendle et al., "BPR: Bayesian Personalized Ranking from Implicit Feedback", 2009, section
        4.3.1.
    """

    def __init__(self, dim=64, **kwargs):
        super().__init__(**kwargs)
        self.dim = check_integer(self, "dim", dim)

    def build_vectors(self):
        self.user_table = self.add_table(self.num_users, self.dim, "user_table")
        self.item_table = self.add_table(self.num_items, self.dim, "item_table")

    def compute_vectors(self, training=False):
        return self.user_table, self.mask_new_items(self.item_table)

    def get_config(self):
        return {**super().get_config(), "dim": self.dim}
