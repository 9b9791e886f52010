"""One prediction of a model as a function of the parts of its inputs."""

import contextlib

import numpy as np
from keras import ops

from keras_mmfusion.explain.image_cells import expand_cells
from keras_mmfusion.explain.internals.token_embeddings import embed_ids, replace_embeddings
from keras_mmfusion.models.captioning.decoding.caption_generator import pad_batch
from keras_mmfusion.models.compiled_function import compile_function

LEVELS = ("modality", "token", "pixel", "feature", "edge")


class Explainable:
    """One sample and one target of a model, as a function of batches of changed inputs.

    A subclass for each kind of model implements `compute`.

    Args:
        model: Keras model.
        inputs: dict, modality -> array without a batch axis, the preprocessed sample.
        kinds: dict, modality -> `"image"` `(height, width, channels)`, `"ids"` `(tokens,)`,
            `"sequence"` `(tokens, ...)`, or `"vector"` `(features,)`.
        baselines: dict, modality -> array like the input: what replaces removed parts.
        target: dict of arrays without a batch axis that determine what `compute` scores.
        target_name: string.
        removal: dict, modality -> string that states how its parts are removed.
        fixed: dict, modality -> bool array of the shape of its tokens or edges: those that are
            never removed alone, such as special tokens.
        replaced: names of the modalities whose baselines the caller chose, so that they replace
            removed parts even if the model has a mask.
        labels: dict, modality -> list of strings, such as words.
        grid: pair of ints: rows and columns of the parts of an image.
        token_slices: dict, modality -> slice of the tokens of a joint Transformer, or `None`.
        image_encoder: layer that encodes the image, or `None`.
    """

    def __init__(
        self,
        model,
        inputs,
        kinds,
        baselines,
        target,
        target_name,
        removal,
        fixed=None,
        replaced=(),
        labels=None,
        grid=None,
        token_slices=None,
        image_encoder=None,
    ):
        self.model = model
        self.inputs = inputs
        self.kinds = kinds
        self.baselines = baselines
        # What `compute` needs besides the inputs and what may differ from sample to sample.
        self.constants = {f"{name}_baseline": array for name, array in baselines.items()}
        self.constants |= {f"{name}_ids": x for name, x in inputs.items() if kinds[name] == "ids"}
        self.constants |= target
        self.target_name = target_name
        self.removal = removal
        self.fixed = fixed or {}
        self.replaced = tuple(replaced)
        self.labels = labels or {}
        self.grid = grid
        self.token_slices = token_slices
        self.image_encoder = image_encoder

    node = None  # The node that is explained, in a graph.

    @property
    def modalities(self):
        return tuple(self.inputs)

    @property
    def differentiable(self):
        """Names of the modalities with gradients: floats, or ids with an embedding layer."""
        return tuple(name for name in self.modalities if self._has_gradients(name))

    def _has_gradients(self, name):
        if self.kinds[name] == "ids":
            return self.get_embedding(name) is not None
        return self.inputs[name].dtype.kind == "f"

    def get_part_shapes(self, level):
        """Returns the shape of the parts at a level, a dict by modality.

        | level | parts |
        |---|---|
        | modality | `()`: each modality |
        | token | `(tokens,)`, the `grid` of an image, `()` for a vector |
        | pixel | `(height, width)` of images |
        | feature | `(features,)` of vectors |
        | edge | `(edges,)` of graphs |
        """
        shapes = {}
        for name in self.modalities:
            kind, shape = self.kinds[name], np.shape(self.inputs[name])
            if level == "modality" or (level, kind) == ("token", "vector"):
                shapes[name] = ()
            elif level == "token":
                shapes[name] = tuple(self.grid) if kind == "image" else shape[:1]
            elif (level, kind) == ("pixel", "image"):
                shapes[name] = shape[:2]
            elif (level, kind) == ("feature", "vector"):
                shapes[name] = shape
        return shapes

    def get_embedding(self, name):
        """Returns the token embedding layer of a modality of ids, or `None`."""
        return None

    def compute(self, values, keep=None, constants=None):
        """Computes the score of each row of a batch: a pure, differentiable function of tensors.

        Args:
            values: dict, modality -> tensor `(batch, ...)` like `inputs`. A modality of ids may be
                given by float embeddings `(batch, tokens, dim)`.
            keep: dict, modality -> bool tensor `(batch,)`, or `(batch, ...)` with the shape of the
                parts of a level, `False` for what is removed; or `None` to keep everything.
            constants: dict of tensors like `constants`, with a batch axis of size 1. Defaults to
                the constants of this sample.

        Returns:
            Float32 tensor `(batch,)`.
        """
        if constants is None:
            constants = {
                name: ops.convert_to_tensor(array)
                for name, array in add_batch_axis(self.constants).items()
            }
        return self._compute(values, keep or {}, constants)

    def _compute(self, values, keep, constants):
        """Implements `compute`."""
        raise NotImplementedError(f"{type(self).__name__} must implement `_compute`.")

    @contextlib.contextmanager
    def use_ids(self, name, values, constants):
        """Returns a context with the ids of a modality that is given by ids or by embeddings.

        Args:
            name: string, a modality of ids.
            values: dict, see `compute`.
            constants: dict, see `compute`.

        Yields:
            Int tensor `(batch, tokens)`. Within the block, the embedding layer returns the given
            embeddings for it.
        """
        x = values[name]
        if len(x.shape) == 2:
            yield ops.cast(x, "int32")
            return
        ids = constants[f"{name}_ids"]
        with replace_embeddings(self.get_embedding(name), x):
            yield ops.broadcast_to(ids, (ops.shape(x)[0], ids.shape[1]))

    def embed(self, name):
        """Returns the input of a modality as floats: its embeddings if it consists of ids."""
        return self._embed(name, self.inputs[name])

    def embed_baseline(self, name):
        """Returns the baseline of a modality as `embed` returns the input."""
        return self._embed(name, self.baselines[name])

    def _embed(self, name, array):
        if self.kinds[name] != "ids":
            return np.asarray(array, "float32")
        return embed_ids(self.get_embedding(name), array)

    def replace_removed(self, name, values, keep, constants):
        """Replaces removed parts of a modality by its baseline; see `compute`.

        Args:
            name: string, the modality.
            values: tensor `(batch, ...)`.
        """
        if name not in keep:
            return values
        mask = keep[name]
        if self.kinds[name] == "image" and len(mask.shape) == 3:
            mask = expand_cells(mask, values.shape[1:3])
        while len(mask.shape) < len(values.shape):
            mask = ops.expand_dims(mask, -1)
        return ops.where(mask, values, ops.cast(constants[f"{name}_baseline"], values.dtype))

    def compute_scores(self, keep, batch_size):
        """Computes the scores of the sample with parts removed, in batches.

        Args:
            keep: dict, modality -> bool array `(rows, ...)`, see `compute`.
            batch_size: int. Maximum number of rows in a forward pass.

        Returns:
            Float64 array `(rows,)`.
        """
        inputs, constants = map(add_batch_axis, (self.reduce_inputs(keep), self.constants))
        function = self._compile_scores(tuple(keep), tuple(inputs), tuple(constants))
        rows, scores = len(next(iter(keep.values()))), []
        for start in range(0, rows, batch_size):
            batch = [np.asarray(x[start : start + batch_size]) for x in keep.values()]
            padded = [pad_batch(x) for x in batch]
            result = function(*padded, *inputs.values(), *constants.values())
            scores.append(np.asarray(ops.convert_to_numpy(result), "float64")[: len(batch[0])])
        return np.concatenate(scores)

    def get_images(self):
        """Returns what figures show of the sample: dict, modality -> uint8 array.

        These are the images, and the sequences of vectors, such as spectrograms.
        """
        return {
            name: _to_pixels(x)
            for name, x in self.inputs.items()
            if self.kinds[name] == "image" or (self.kinds[name] == "sequence" and x.ndim == 2)
        }

    def get_edges(self):
        """Returns the edges of a graph: dict, modality -> int array `(2, edges)`."""
        return {}

    def encode_again(self):
        """Computes again what is kept of the model's outputs, after a change of its weights."""

    def reduce_inputs(self, keep):
        """Returns the inputs of which parts are removed, encoded as far as `keep` allows."""
        return self.inputs

    def _compile_scores(self, keep_names, input_names, constant_names):
        def compute(*arrays):
            arrays = list(arrays)
            keep, values, constants = (
                {name: arrays.pop(0) for name in names}
                for names in (keep_names, input_names, constant_names)
            )
            rows = ops.shape(next(iter(keep.values())))[0]
            values = {name: ops.broadcast_to(x, (rows, *x.shape[1:])) for name, x in values.items()}
            return self.compute(values, keep, constants)

        key = ("scores", keep_names, input_names, constant_names)
        return self.cache_function(key, lambda: compile_function(self.model, compute))

    def cache_function(self, key, make):
        """Returns a function of this kind of explanation that is made once for each key.

        It is kept with the model and used for other samples too: what differs between samples of
        the same shapes must be an argument of the function.
        """
        functions = vars(self.model).setdefault("_explanation_functions", FunctionCache())
        weights = len(self.model.variables)
        kinds = tuple(self.kinds.items())
        settings = (type(self).__name__, kinds, self.replaced, self.grid)
        key = (settings, self.model.compute_dtype, weights, key)
        if key not in functions:
            functions[key] = make()
        return functions[key]


class FunctionCache(dict):
    """A dict of compiled functions that is empty in copies of a model."""

    def __reduce__(self):
        return type(self), ()


def _to_pixels(image):
    """Scales an image or a sequence to [0, 255] by its own minimum and maximum, without NaN."""
    known = image[np.isfinite(image)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
    scaled = (np.nan_to_num(image, nan=low) - low) / max(high - low, 1e-6)
    return np.round(255 * np.clip(scaled, 0, 1)).astype("uint8")


def add_batch_axis(arrays):
    """Returns a dict of arrays with a leading axis of size 1."""
    return {name: np.asarray(array)[np.newaxis] for name, array in arrays.items()}
