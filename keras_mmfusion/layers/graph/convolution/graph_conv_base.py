import keras

from keras_mmfusion.layers.dense import Dense
from keras_mmfusion.layers.graph.core.graph_layer import GraphLayer


class GraphConvBase(GraphLayer):
    """Base class of graph convolutions: kernel settings, a bias and an activation.

    Args:
        activation: a name or function. Defaults to none.
        use_bias: bool.
        kernel_initializer: initializer of the kernels.
        kernel_regularizer: regularizer of the kernels.
    """

    def __init__(
        self,
        activation=None,
        use_bias=True,
        kernel_initializer="glorot_uniform",
        kernel_regularizer=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.activation = keras.activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)

    def make_kernel(self, input_dim, units, name, **settings):
        """Returns a built `Dense` layer, without a bias unless `settings` says otherwise."""
        layer = Dense(
            units,
            dtype=self.dtype_policy,
            name=name,
            kernel_initializer=self.kernel_initializer.clone(),
            kernel_regularizer=self.kernel_regularizer,
            **{"use_bias": False, **settings},
        )
        layer.build((None, input_dim))
        return layer

    def add_bias(self):
        """Creates the output's bias; returns `None` without `use_bias`."""
        if not self.use_bias:
            return None
        return self.add_weight(shape=(self.output_dim,), initializer="zeros", name="bias")

    def activate(self, x, bias):
        """Returns `σ(x + bias)`."""
        return self.activation(x if bias is None else x + bias)

    def get_config(self):
        return {
            **super().get_config(),
            "activation": keras.activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
        }
