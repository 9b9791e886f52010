import keras
from keras import ops

from keras_mmfusion._checks import check_fraction
from keras_mmfusion.layers.graph.transforms.graph_transform import GraphTransform


class GraphDropout(GraphTransform):
    """What the dropouts of graphs share: a rate, and what is kept at it.

    Args:
        rate: float in [0, 1). Share that is dropped in training.
        seed: int or `None`.
    """

    def __init__(self, rate, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.rate = check_fraction(self, "rate", rate)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def draw_kept(self, shape, training):
        """A bool tensor, `True` with the probability `1 - rate`; all of it outside training."""
        if not training or not self.rate:
            return ops.ones(shape, "bool")
        return keras.random.uniform(shape, seed=self.seed_generator) >= self.rate

    def get_config(self):
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}
