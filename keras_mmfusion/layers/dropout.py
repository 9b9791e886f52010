import keras
import numpy as np
from keras import ops

PYTORCH = keras.config.backend() == "torch"
if PYTORCH:
    import torch


class Dropout(keras.layers.Dropout):
    """`keras.layers.Dropout` for use inside other layers, fast on PyTorch's CPU device.

    PyTorch draws one random number per value sequentially, which takes a tenth of the training
    time of a Transformer. This layer uses each random number of 64 bits for four values, with the
    rate rounded to 1/65536. The draws depend only on the layer's seed generator, whereas Keras
    uses PyTorch's global generator if no seed is given; so an interrupted training can be resumed
    exactly. On other backends and devices this is Keras's layer.
    """

    def call(self, inputs, training=False):
        if not training or not self.rate or not self._is_plain(inputs):
            return super().call(inputs, training=training)
        kept = _random_int16(inputs.shape, self.seed_generator) >= round(self.rate * 2**16) - 2**15
        return inputs * kept.to(inputs.dtype).mul_(1 / (1 - self.rate))

    def _is_plain(self, inputs):
        on_cpu = PYTORCH and isinstance(inputs, torch.Tensor) and inputs.device.type == "cpu"
        return on_cpu and round(self.rate * 2**16) < 2**16 and self.noise_shape is None


def _random_int16(shape, seed_generator):
    """Uniform random int16 tensor."""
    state = ops.convert_to_numpy(seed_generator.next()).astype("uint32")
    # PyTorch's generator uses 32 bits of its seed: mix the whole state into them.
    seed = np.random.SeedSequence(state).generate_state(1)[0]
    generator = torch.Generator().manual_seed(int(seed))
    numbers = torch.empty(-(-shape.numel() // 4), dtype=torch.int64)
    numbers.random_(-(2**63), None, generator=generator)
    return numbers.view(torch.int16)[: shape.numel()].view(shape)
