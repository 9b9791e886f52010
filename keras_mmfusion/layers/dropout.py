import keras
import numpy as np
from keras import ops

PYTORCH = keras.config.backend() == "torch"
if PYTORCH:
    import torch


class Dropout(keras.layers.Dropout):
    """`keras.layers.Dropout` for use inside other layers, quick on PyTorch's CPU.

    There PyTorch draws a number for each value, one after the other, which takes a tenth of the
    training of a Transformer: here each drawn number of 64 bits decides over four values, the rate
    rounded to 1/65536. And what is dropped depends on the layer's seed generator alone, where
    Keras, without a seed, asks PyTorch's global one: so a run can be taken up where it stopped.
    Elsewhere this is Keras's layer.
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
    """Int16 tensor, uniform over all its numbers."""
    state = ops.convert_to_numpy(seed_generator.next()).astype("uint32")
    # The generator looks at 32 bits of its seed: all of the state is mixed into them.
    seed = np.random.SeedSequence(state).generate_state(1)[0]
    generator = torch.Generator().manual_seed(int(seed))
    numbers = torch.empty(-(-shape.numel() // 4), dtype=torch.int64)
    numbers.random_(-(2**63), None, generator=generator)
    return numbers.view(torch.int16)[: shape.numel()].view(shape)
