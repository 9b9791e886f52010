import keras
from keras import ops

from keras_mmfusion.layers.graph.core.segment_ops import segment_sum
from keras_mmfusion.models.recommendation.recommender import Recommender


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class PopularityRecommender(Recommender):
    """The same items for everyone: those that most users took. What every model has to beat.

    ```
    s_ui = number of users who took i
    ```

    Call arguments: see `Recommender`.

    Example:

    >>> import numpy as np
    >>> from keras_mmfusion.datasets import Interactions
    >>> from keras_mmfusion.models.recommendation import PopularityRecommender
    >>> users, items = np.array(["ann", "bob", "eve"]), np.array(["tea", "tea", "milk"])
    >>> model = PopularityRecommender()
    >>> model.adapt(Interactions(users, items, np.arange(3.0)))
    >>> model.scores(["eve"], exclude_taken=False).tolist()  # of milk and of tea
    [[1.0, 2.0]]
    """

    def vectors(self, training=False):
        taken = self.taken[1]
        ones = ops.ones((*taken.shape, 1), "float32")
        return ops.ones((self.num_users, 1)), segment_sum(ones, taken, self.num_items)
