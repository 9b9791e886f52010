"""Reader of `pytorch_model.bin` files, which needs PyTorch and executes no code of the file."""

import os
from collections.abc import Mapping

from keras_mmfusion._extras import require_extra


class TorchFile(Mapping):
    """The tensors of a `pytorch_model.bin` file, a mapping of names to arrays.

    Args:
        path: string or path.

    Raises:
        MissingExtraError: if PyTorch is not installed.
        ValueError: if the file contains anything but tensors, such as code, or is damaged.
    """

    def __init__(self, path):
        self.path = os.fspath(path)
        require_extra("torch", f"Reading {self.path!r}", "torch")
        self._tensors = self._read()
        self.shapes = {name: tuple(tensor.shape) for name, tensor in self._tensors.items()}

    def _read(self):
        import pickle

        import torch

        try:
            # A file in the ZIP format is mapped, so that tensors are read when they are used.
            with open(self.path, "rb") as file:
                is_zip = file.read(4) == b"PK\x03\x04"
            tensors = torch.load(self.path, map_location="cpu", weights_only=True, mmap=is_zip)
        except pickle.UnpicklingError:
            # PyTorch's message recommends to execute the file.
            raise ValueError(
                f"{self.path!r} contains objects other than tensors, or is damaged. Nothing in it "
                "was executed. Ask its authors for safetensors."
            ) from None
        except Exception as error:  # Damaged files raise errors of many types.
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise ValueError(f"{self.path!r} is not a PyTorch weight file: {reason}") from None
        if not isinstance(tensors, dict):
            raise ValueError(f"{self.path!r} must contain a dict, not {type(tensors).__name__}.")
        for name, tensor in tensors.items():
            if not isinstance(name, str) or not isinstance(tensor, torch.Tensor):
                raise ValueError(
                    f"{self.path!r} must contain only tensors by name. Received: {name!r} of type "
                    f"{type(tensor).__name__}"
                )
        return tensors

    def __getitem__(self, name):
        import torch

        tensor = self._tensors[name].detach().contiguous()
        if tensor.dtype == torch.bfloat16:
            import ml_dtypes

            return tensor.view(torch.int16).numpy().view(ml_dtypes.bfloat16)
        return tensor.numpy()

    def __iter__(self):
        return iter(self._tensors)

    def __len__(self):
        return len(self._tensors)
