"""Weight files of half the size: float32 weights stored as float16."""

from keras_mmfusion.files.atomic_files import replace_file

# For smaller datasets, the overhead of compression exceeds its savings.
SMALLEST_COMPRESSED = 4096


def store_as_float16(path):
    """Rewrites a `.weights.h5` file with its float32 datasets as compressed float16.

    Keras casts stored values to the dtype of each variable, so the file can be loaded as before.
    Values of other dtypes (integers, strings, ...) are unchanged. The file is replaced atomically,
    and equal weights give equal bytes.

    Args:
        path: string or path. The file to rewrite.

    Raises:
        ValueError: if a value exceeds the range of float16 (65504).

    Example:

    >>> import h5py, numpy as np, os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "model.weights.h5")
    >>> with h5py.File(path, "w") as file:
    ...     file["kernel"] = np.ones((2, 3), "float32")
    >>> store_as_float16(path)
    >>> with h5py.File(path) as file:
    ...     print(file["kernel"].dtype)
    float16
    """
    import h5py

    with (
        replace_file(path) as temporary,
        h5py.File(path, "r") as source,
        # Newer format versions store a timestamp with each group.
        h5py.File(temporary, "w", libver="earliest") as target,
    ):
        _copy_group(source, target)


def _copy_group(source, target):
    import h5py

    _copy_attributes(source, target)
    for name, item in source.items():
        if isinstance(item, h5py.Group):
            _copy_group(item, target.create_group(name))
        else:
            _copy_dataset(item, target, name)


def _copy_dataset(source, target, name):
    import numpy as np

    values, dtype = source[()], source.dtype
    if dtype == np.float32:
        values, dtype = _as_float16(values, source.name), np.float16
    filters = {}
    if (source.size or 0) >= SMALLEST_COMPRESSED:
        filters = {"compression": "gzip", "compression_opts": 9, "shuffle": True}
    dataset = target.create_dataset(name, data=values, dtype=dtype, **filters)
    _copy_attributes(source, dataset)


def _copy_attributes(source, target):
    for name, value in source.attrs.items():
        target.attrs[name] = value


def _as_float16(values, name):
    import numpy as np

    with np.errstate(over="ignore"):
        half = values.astype(np.float16)
    if np.any(np.isfinite(values) & ~np.isfinite(half)):
        raise ValueError(
            f"Dataset {name!r} contains {np.abs(values).max():g}, which exceeds the range of "
            "float16 (65504): keep this file in float32."
        )
    return half
