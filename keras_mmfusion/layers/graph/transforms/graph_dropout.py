import keras
from keras import ops

from keras_mmfusion._checks import check_fraction
from keras_mmfusion.layers.graph.transforms.graph_transform import GraphTransform


class GraphDropout(GraphTransform):
    """Base class of layers that drop parts of a graph during training.

    Args:
        rate: float in [0, 1). Fraction to drop.
        seed: int or `None`.
    """

    def __init__(self, rate, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.rate = check_fraction(self, "rate", rate)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def sample_mask(self, shape, training):
        """Samples a mask that is `True` with probability `1 - rate`; all `True` in inference."""
        if not training or not self.rate:
            return ops.ones(shape, "bool")
        return keras.random.uniform(shape, seed=self.seed_generator) >= self.rate

    def get_config(self):
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}
