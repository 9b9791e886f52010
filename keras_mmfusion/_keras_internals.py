"""Private functions and attributes of Keras and KerasHub that this package uses.

They are used in this module only, so that a new version of Keras can be supported in one place.
"""

import contextlib
import gc
from unittest import mock


def get_functional_class():
    """Returns the class of functional models, which Keras does not export."""
    from keras.src.models.functional import Functional

    return Functional


def flatten_layers(layer, include_self=True):
    """Lists a layer and all its nested sublayers.

    Args:
        layer: Keras layer or model.
        include_self: bool. Whether the list contains `layer`.
    """
    return list(layer._flatten_layers(include_self=include_self))


def has_sublayers(layer):
    """Returns whether a layer has sublayers."""
    return bool(layer._layers)


def get_attention_softmax(layer):
    """Returns the layer that computes the scores of a built `keras.layers.MultiHeadAttention`."""
    return layer._softmax


def get_keras_mask(tensor):
    """Returns the implicit mask of a tensor, or `None`."""
    return getattr(tensor, "_keras_mask", None)


def uses_tensorflow_operations(layer):
    """Returns whether a KerasHub preprocessing layer must use TensorFlow operations now."""
    return layer._use_tf_workflow()


def aggregate_loss(model, loss):
    """Sums an additional loss of a model as Keras does, scaled under `tf.distribute`."""
    return model._aggregate_additional_loss(loss)


@contextlib.contextmanager
def skip_random_values():
    """Within the block, new variables have unspecified values instead of random ones.

    For models whose weights are loaded afterwards: random values take longer than reading a file,
    and memory that nothing was written to is not resident yet.
    """
    import keras

    initialize = keras.Variable._initialize_with_initializer
    random = (
        keras.initializers.RandomNormal,
        keras.initializers.RandomUniform,
        keras.initializers.TruncatedNormal,
        keras.initializers.VarianceScaling,
    )

    def initialize_without_random(variable, initializer):
        initialize(variable, _make_empty if isinstance(initializer, random) else initializer)

    name = "_initialize_with_initializer"
    with mock.patch.object(keras.Variable, name, initialize_without_random):
        yield


def _make_empty(shape, dtype):
    import keras

    if keras.config.backend() == "tensorflow":  # Its `keras.ops.empty` writes zeros.
        import tensorflow as tf

        return tf.raw_ops.Empty(shape=shape, dtype=dtype)
    return keras.ops.empty(shape, dtype)


@contextlib.contextmanager
def collect_only_new_garbage():
    """Within the block, garbage collections examine only objects that are created in it.

    Keras collects garbage for each layer that it quantizes, which takes a third of a second or more
    if all objects of TensorFlow are examined. The replaced weights are freed without it.
    """
    if gc.get_freeze_count():  # `gc.unfreeze` would undo what the program has frozen.
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def save_optimizer_as(model, optimizer):
    """Replaces the optimizer in the compile configuration that is saved with a model."""
    model._compile_config.config["optimizer"] = optimizer


def get_trainable_variables(optimizer):
    """Lists the variables that a built optimizer updates."""
    return list(optimizer._trainable_variables)
