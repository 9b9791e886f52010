"""Finds and opens the weight files of a checkpoint, in one part or several."""

import pathlib
import re
from collections.abc import Mapping

from keras_mmfusion.checkpoints.safetensors_file import SafetensorsFile
from keras_mmfusion.checkpoints.torch_file import TorchFile
from keras_mmfusion.files.json_files import read_json

SAFETENSORS = "model.safetensors"
TORCH = "pytorch_model.bin"
# In the order of preference; an index lists the parts of a sharded checkpoint.
WEIGHT_FILES = (SAFETENSORS, f"{SAFETENSORS}.index.json", TORCH, f"{TORCH}.index.json")
_OTHER_FORMATS = ("tf_model.h5", "flax_model.msgpack", "model.onnx", "*.gguf")


def open_weights(folder):
    """Opens the weights of a checkpoint; safetensors are preferred to PyTorch's files.

    Args:
        folder: string or path.

    Returns:
        A mapping of names to arrays, which are read when they are asked for.

    Raises:
        ValueError: if there are no weights, or a file is damaged, missing or outside the folder.
        MissingExtraError: if there is only a file of PyTorch, which is not installed.
    """
    folder = pathlib.Path(folder)
    for name in WEIGHT_FILES:
        if (folder / name).is_file():
            return _open_index(folder / name) if name.endswith(".json") else _open(folder / name)
    others = sorted({path.name for pattern in _OTHER_FORMATS for path in folder.glob(pattern)})
    found = f" It has {', '.join(others)}, which cannot be read." if others else ""
    if any(name.endswith(".gguf") for name in others):
        found = f" It has {', '.join(others)}: pass the path of a GGUF file instead of its folder."
    raise ValueError(f"{str(folder)!r} has none of {', '.join(WEIGHT_FILES)}.{found}")


def read_shard_names(index_path):
    """Reads the index of a sharded checkpoint.

    Args:
        index_path: path of `*.index.json`.

    Returns:
        A dict, name of a tensor -> file name of its shard.

    Raises:
        ValueError: if it is not such an index, or a file name could point outside the folder.
    """
    index = read_json(index_path)
    names = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(names, dict) or not names:
        raise ValueError(f"{str(index_path)!r} must have a `weight_map` of names to files.")
    for file in names.values():
        if not isinstance(file, str) or not re.fullmatch(r"\w[\w.-]*", file):
            raise ValueError(
                f"{str(index_path)!r} must name files in its own folder. Received: {file!r}"
            )
    return names


def _open(path):
    return (SafetensorsFile if path.suffix == ".safetensors" else TorchFile)(path)


def _open_index(path):
    files = read_shard_names(path)
    missing = sorted({file for file in files.values() if not (path.parent / file).is_file()})
    if missing:
        raise ValueError(f"{str(path)!r} names files that are missing: {', '.join(missing)}.")
    shards = {file: _open(path.parent / file) for file in sorted(set(files.values()))}
    for name, file in files.items():
        if name not in shards[file]:
            raise ValueError(f"{str(path)!r} says that {file} has {name!r}, but it does not.")
    owners = {name: shard for shard in shards.values() for name in shard}
    return ShardedWeights({**owners, **{name: shards[file] for name, file in files.items()}})


class ShardedWeights(Mapping):
    """The tensors of several files, a mapping of names to arrays.

    Args:
        shards: dict, name -> mapping that has it.
    """

    def __init__(self, shards):
        self._shards = shards
        self.shapes = {name: shard.shapes[name] for name, shard in shards.items()}

    def __getitem__(self, name):
        return self._shards[name][name]

    def __iter__(self):
        return iter(self._shards)

    def __len__(self):
        return len(self._shards)
