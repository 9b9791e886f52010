"""Model folders of TensorFlow Serving: a numbered SavedModel for each version of a model."""

import hashlib
import json
import os
import pathlib
import shutil

import keras

from keras_mmfusion.models.export.export_target import check_export_target
from keras_mmfusion.models.export.warmup_requests import write_warmup_requests

MANIFEST = "manifest.json"


def write_saved_model(endpoints, folder, manifest, resources=(), warmup=()):
    """Writes the next version of a model to a folder, atomically.

    Args:
        endpoints: dict, signature -> (function of tensors, its `tf.TensorSpec`s). The first is
            also `serving_default`, unless one has that name.
        folder: string or path. Versions are written to its subfolders `1`, `2`, ...
        manifest: dict of JSON values that describe the model. Signatures, SHA-256 digests of the
            files and software versions are added.
        resources: sequence of the lookup tables that the functions use; variables are tracked
            automatically.
        warmup: sequence of (signature, dict of inputs): requests that a server runs at startup.

    Returns:
        The path of the new version.
    """
    if keras.config.backend() != "tensorflow":
        raise ValueError(
            "Exporting a SavedModel requires the TensorFlow backend. Set KERAS_BACKEND=tensorflow "
            f"and load the model again. Received: {keras.config.backend()!r}"
        )
    folder = pathlib.Path(folder).absolute()
    check_export_target(folder)
    folder.mkdir(parents=True, exist_ok=True)
    # Not a number, so that a server that watches the folder does not load it as a version.
    scratch = folder / f".part.{os.getpid()}"
    try:
        archive = keras.export.ExportArchive()
        for resource in resources:
            archive.track(resource)
        for name, (function, specs) in endpoints.items():
            archive.add_endpoint(name, _wrap(trace(function, specs)), specs)
        archive.write_out(str(scratch), verbose=False)
        if warmup:
            write_warmup_requests(scratch, warmup)
        _write_manifest(scratch, manifest)
        return _rename_to_next_version(scratch, folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def trace(function, specs):
    """Traces a function to a `ConcreteFunction`; TensorFlow traces plain functions twice."""
    import tensorflow as tf

    return tf.function(function, input_signature=specs, autograph=False).get_concrete_function()


def _wrap(graph):
    return lambda *inputs: graph(*inputs)


def list_versions(folder):
    """Lists the version numbers in a folder in increasing order."""
    return sorted(int(entry.name) for entry in folder.iterdir() if entry.name.isdigit())


def _rename_to_next_version(scratch, folder):
    while True:
        version = folder / str(max(list_versions(folder), default=0) + 1)
        try:
            os.rename(scratch, version)
        except OSError:
            if not version.exists():  # Otherwise another process has just written this version.
                raise
        else:
            return version


def describe_signatures(version):
    """Returns the input and output dtypes and shapes of each signature of a SavedModel."""
    from tensorflow.core.protobuf import saved_model_pb2

    content = (pathlib.Path(version) / "saved_model.pb").read_bytes()
    saved_model = saved_model_pb2.SavedModel.FromString(content)
    return {
        name: {"inputs": _describe(signature.inputs), "outputs": _describe(signature.outputs)}
        for name, signature in sorted(saved_model.meta_graphs[0].signature_def.items())
        if not name.startswith("__")
    }


def _describe(tensors):
    import tensorflow as tf

    return {
        name: {
            "dtype": tf.dtypes.as_dtype(info.dtype).name,
            "shape": tf.TensorShape(info.tensor_shape).as_list(),
        }
        for name, info in sorted(tensors.items())
    }


def _write_manifest(folder, manifest):
    import tensorflow as tf

    from keras_mmfusion import __version__

    manifest = {
        **manifest,
        "signatures": describe_signatures(folder),
        "software": {
            "keras_mmfusion": __version__,
            "keras": keras.__version__,
            "tensorflow": tf.__version__,
        },
        "sha256": {
            path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        },
    }
    text = json.dumps(manifest, indent=2, ensure_ascii=False)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")
