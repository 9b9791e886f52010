import itertools

import keras


class StepsByRank:
    """Mixin that compiles separate steps for data of different ranks; precedes the Keras base.

    On TensorFlow, Keras compiles one function with `reduce_retracing`. It generalizes data of
    different ranks, such as captions `(batch, captions)` and `(batch,)`, to an unknown rank, which
    models do not support. This mixin compiles a function for each rank. Other backends do not
    generalize ranks.
    """

    def make_train_function(self, force=False):
        self._set_function_by_rank("train_function", super().make_train_function, force)

    def make_test_function(self, force=False):
        self._set_function_by_rank("test_function", super().make_test_function, force)

    def make_predict_function(self, force=False):
        self._set_function_by_rank("predict_function", super().make_predict_function, force)

    def _set_function_by_rank(self, name, make, force):
        if keras.config.backend() != "tensorflow":
            make(force)
        elif force or getattr(self, name) is None:
            setattr(self, name, _make_function_by_rank(self, name, make))


def _make_function_by_rank(model, name, make):
    functions = {}

    def run(data):
        ranks, data = _split_ranks(data)
        if ranks not in functions:
            make(force=True)  # Sets the attribute of the model.
            functions[ranks] = getattr(model, name)
            setattr(model, name, run)
        return functions[ranks](data)

    return run


def _split_ranks(data):
    """Returns the structure of the data with tensor ranks, as a string, and the data.

    Args:
        data: iterator of batches, of TensorFlow or of Python, or a list of batches.
    """
    structure = data if isinstance(data, list) else getattr(data, "element_spec", None)
    if structure is None:
        structure = next(data)
        data = itertools.chain([structure], data)
    return str(keras.tree.map_structure(_get_rank, structure)), data


def _get_rank(x):
    shape = getattr(x, "shape", None)
    return shape.rank if hasattr(shape, "rank") else shape and len(shape)
