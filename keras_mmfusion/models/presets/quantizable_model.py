"""Keras's quantization for models whose layers make layers of their own."""

import json
import re

import keras
import numpy as np

LAYERS = "quantized_layers"


class QuantizableModel:
    """Makes `quantize` work with saving; goes before the Keras class that a model extends.

    Keras stores with a layer's config that it is quantized, which the config of a model does not
    have for layers that it makes by itself. So the model's weights name the quantized layers, by
    their index among all layers, and a model into which they are loaded quantizes these first.
    """

    def quantize(self, mode=None, config=None, filters=None, **kwargs):
        """Keras's `quantize`: stores kernels of dense layers and embeddings as integers.

        What else there is, such as convolutions, stays in floating point. The optimizer starts
        anew, since the weights that it knew are gone; quantized kernels are not trained.

        Args:
            mode: string, such as `"int8"`.
            config: a `keras.quantizers.QuantizationConfig`, in place of `mode`.
            filters: a regular expression for the names of layers, a list of them, or a function
                of a layer. By default all layers are quantized.

        Raises:
            ValueError: if the model is not built, is quantized already, or has no layer that Keras
                can quantize.
        """

        def wanted(layer):
            # A model without layers would be taken for a layer of its own. Of layers that cannot
            # be quantized Keras would warn, or ask that they be built.
            can_be = type(layer).quantize is not keras.layers.Layer.quantize
            return layer is not self and can_be and _matches(layer, filters)

        super().quantize(mode, config=config, filters=wanted, **kwargs)
        if not _quantized_layers(self):
            raise ValueError(
                f"{type(self).__name__} has no layer that Keras can quantize"
                f"{'' if filters is None else ' among those that `filters` let through'}: dense "
                "layers and embeddings. Its weights stay as they are."
            )
        _cast_scales(self)
        optimizer = getattr(self, "optimizer", None)
        if optimizer is not None and optimizer.built:
            self.optimizer = type(optimizer).from_config(optimizer.get_config())
        self.forget_functions()

    def forget_functions(self):
        """Drops functions that were compiled for the weights as they were."""

    def save_own_variables(self, store):
        super().save_own_variables(store)
        if layers := _quantized_layers(self):
            store[LAYERS] = np.frombuffer(json.dumps(layers).encode(), "uint8")

    def load_own_variables(self, store):
        # Keras loads a model's own variables before those of its layers.
        names = set(store.keys())
        if LAYERS in names:
            _quantize_layers(self, json.loads(np.asarray(store[LAYERS]).tobytes()))
            _cast_scales(self)
            self.forget_functions()
        super().load_own_variables({name: store[name] for name in names - {LAYERS}})


def _quantized_layers(model):
    """Which layers of a model are quantized, and how: a dict for JSON."""
    return {
        str(index): keras.saving.serialize_keras_object(
            {"mode": layer.quantization_mode, "config": layer.quantization_config}
        )
        for index, layer in enumerate(model._flatten_layers())
        if layer.quantization_mode is not None and hasattr(layer, "quantization_config")
    }


def _quantize_layers(model, layers):
    """Quantizes the layers of `_quantized_layers` that are not quantized yet."""
    for index, layer in enumerate(model._flatten_layers()):
        if str(index) in layers and layer.quantization_mode is None:
            how = keras.saving.deserialize_keras_object(layers[str(index)])
            # Keras checks the type of a layer again, which it did when it was quantized first.
            layer.quantize(how["mode"], config=how["config"], type_check=False)


def _cast_scales(model):
    """Has embeddings cast their scales to half precision, as they do their tables.

    By default they are float32, and so is the output, which cannot be added to positions, say.
    """
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.Embedding) and layer.quantization_mode is not None:
            layer.autocast = True


def _matches(layer, filters):
    if filters is None:
        return True
    if callable(filters):
        return filters(layer)
    patterns = [filters] if isinstance(filters, str) else filters
    return any(re.search(pattern, layer.name) for pattern in patterns)
