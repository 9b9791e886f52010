"""Quantization of models with nested layers."""

import json
import re

import keras
import numpy as np

from keras_mmfusion._keras_internals import collect_only_new_garbage, flatten_layers

LAYERS = "quantized_layers"


class QuantizableModel:
    """Mixin that makes quantized models savable; precedes the Keras base class.

    Keras stores the quantization of a layer in its config, which is missing for layers that a
    model creates itself. Therefore the model's weights record the quantized layers by their index
    among all layers, and these are quantized before weights are loaded.
    """

    def quantize(self, mode=None, config=None, filters=None, **kwargs):
        """Quantizes the kernels of dense layers and embeddings; see `keras.Model.quantize`.

        Other layers, such as convolutions, remain in floating point. The optimizer is reset, since
        its weights are replaced; quantized kernels are not trained.

        Args:
            mode: string, such as `"int8"`.
            config: a `keras.quantizers.QuantizationConfig`, instead of `mode`.
            filters: a regular expression for layer names, a list of them, or a function of a
                layer. By default all layers are quantized.

        Raises:
            ValueError: if the model is not built, is quantized already, or has no layer that Keras
                can quantize.
        """

        def is_selected(layer):
            # Exclude a model without sublayers.
            return layer is not self and _is_quantizable(layer) and _matches(layer, filters)

        with collect_only_new_garbage():
            super().quantize(mode, config=config, filters=is_selected, **kwargs)
        if not _list_quantized_layers(self):
            raise ValueError(
                f"{type(self).__name__} has no layer that Keras can quantize, a dense layer or an "
                f"embedding{'' if filters is None else ', that matches `filters`'}. Its weights "
                "are unchanged."
            )
        _cast_scales(self)
        optimizer = getattr(self, "optimizer", None)
        if optimizer is not None and optimizer.built:
            self.optimizer = type(optimizer).from_config(optimizer.get_config())
        self.reset_compiled_functions()

    def reset_compiled_functions(self):
        """Discards functions that were compiled for earlier weights."""

    def save_own_variables(self, store):
        super().save_own_variables(store)
        if layers := _list_quantized_layers(self):
            store[LAYERS] = np.frombuffer(json.dumps(layers).encode(), "uint8")

    def load_own_variables(self, store):
        # Keras loads the variables of a model before those of its layers.
        names = set(store.keys())
        if LAYERS in names:
            _quantize_layers(self, json.loads(np.asarray(store[LAYERS]).tobytes()))
            _cast_scales(self)
            self.reset_compiled_functions()
        super().load_own_variables({name: store[name] for name in names - {LAYERS}})


def quantize_model(model, mode):
    """Quantizes the layers of any model that Keras can quantize, without warnings about others.

    Args:
        model: built `keras.Model`.
        mode: string, such as `"int8"`.
    """
    if isinstance(model, QuantizableModel):
        model.quantize(mode)
    else:
        with collect_only_new_garbage():
            model.quantize(mode, filters=_is_quantizable)
        _cast_scales(model)


def copy_quantization(source, target):
    """Quantizes the layers of a model that are quantized in another model of the same layers.

    Args:
        source: built `keras.Model`.
        target: built `keras.Model`. Its weights are then of the same shapes and dtypes.
    """
    _quantize_layers(target, _list_quantized_layers(source))


def _is_quantizable(layer):
    """Keras warns about layers that it cannot quantize, or requires them to be built."""
    return type(layer).quantize is not keras.layers.Layer.quantize


def _list_quantized_layers(model):
    """Returns the quantized layers of a model: a JSON dict, index -> mode and config."""
    return {
        str(index): keras.saving.serialize_keras_object(
            {"mode": layer.quantization_mode, "config": layer.quantization_config}
        )
        for index, layer in enumerate(flatten_layers(model))
        if layer.quantization_mode is not None and hasattr(layer, "quantization_config")
    }


def _quantize_layers(model, layers):
    """Quantizes the layers of `_list_quantized_layers` that are not quantized yet."""
    # Weights that are loaded afterwards have unspecified values, such as NaN.
    with collect_only_new_garbage(), np.errstate(all="ignore"):
        for index, layer in enumerate(flatten_layers(model)):
            if str(index) in layers and layer.quantization_mode is None:
                how = keras.saving.deserialize_keras_object(layers[str(index)])
                # Layer types were checked when the model was first quantized.
                layer.quantize(how["mode"], config=how["config"], type_check=False)


def _cast_scales(model):
    """Makes quantized embeddings cast their scales to half precision.

    By default the scales are float32, and so is the output, which does not match the compute dtype
    of the model.
    """
    for layer in flatten_layers(model):
        if isinstance(layer, keras.layers.Embedding) and layer.quantization_mode is not None:
            layer.autocast = True


def _matches(layer, filters):
    if filters is None:
        return True
    if callable(filters):
        return filters(layer)
    patterns = [filters] if isinstance(filters, str) else filters
    return any(re.search(pattern, layer.name) for pattern in patterns)
