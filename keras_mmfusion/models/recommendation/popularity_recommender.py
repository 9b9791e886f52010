import keras
from keras import ops

from keras_mmfusion.layers.graph.core.segment_ops import segment_sum
from keras_mmfusion.models.recommendation.recommender import Recommender


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class PopularityRecommender(Recommender):
    """Recommends the most popular items to every user: the baseline for all other models.

    ```
    s_ui = number of users who interacted with i
    ```

    Call arguments: see `Recommender`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.datasets import Interactions
    >>> from keras_mmfusion.models.recommendation import PopularityRecommender
    >>> users, items = np.array(["ann", "bob", "eve"]), np.array(["tea", "tea", "milk"])
    >>> model = PopularityRecommender()
    >>> model.adapt(Interactions(users, items, np.arange(3.0)))
    >>> model.compute_scores(["eve"], exclude_seen=False).tolist()  # of milk and of tea
    [[1.0, 2.0]]
    """

    def compute_vectors(self, training=False):
        item_index = self.interaction_index[1]
        ones = ops.ones((*item_index.shape, 1), "float32")
        return ops.ones((self.num_users, 1)), segment_sum(ones, item_index, self.num_items)
