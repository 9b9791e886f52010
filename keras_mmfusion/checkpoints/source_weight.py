"""The relation between a variable of a model and the tensors of a checkpoint."""

import dataclasses
from collections.abc import Callable
from typing import Any

from keras_mmfusion.checkpoints.layouts import keep


@dataclasses.dataclass(frozen=True)
class SourceWeight:
    """A variable of a model and the tensor that it is loaded from.

    Several weights may have the same key, such as the parts of a fused projection.

    Args:
        key: string, the name of the tensor as the Hub's files spell it; or a tuple of names whose
            arrays `convert` combines.
        variable: the `keras.Variable`.
        convert: function of the arrays of the keys that returns an array of the variable's shape;
            see `layouts`.
    """

    key: str | tuple[str, ...]
    variable: Any
    convert: Callable = keep

    @property
    def keys(self):
        """The key or keys as a tuple."""
        return (self.key,) if isinstance(self.key, str) else tuple(self.key)
