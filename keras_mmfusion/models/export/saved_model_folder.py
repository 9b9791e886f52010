"""Folders that TensorFlow Serving takes: a numbered SavedModel for each version of a model."""

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
    """Writes the next version of a model into a folder, whole or not at all.

    Args:
        endpoints: dict, signature -> (function of tensors, its `tf.TensorSpec`s). The first is
            what `serving_default` means, unless one has that name.
        folder: string or path. A version goes into its subfolder `1`, the next one into `2`, ...
        manifest: dict for JSON: what is to be known of the model. Signatures, files with their
            SHA-256 and versions of the software are added.
        resources: sequence of the lookup tables that the functions use; variables are found.
        warmup: sequence of (signature, dict of inputs): requests that a server is to run first.

    Returns:
        The path of the new version.
    """
    if keras.config.backend() != "tensorflow":
        raise ValueError(
            "A SavedModel is made by the TensorFlow backend. Keras runs on "
            f"{keras.config.backend()!r}; set KERAS_BACKEND=tensorflow and load the model again."
        )
    folder = pathlib.Path(folder).absolute()
    check_export_target(folder)
    folder.mkdir(parents=True, exist_ok=True)
    # Of no number, so that a server that watches the folder does not take it for a version.
    scratch = folder / f".part.{os.getpid()}"
    try:
        archive = keras.export.ExportArchive()
        for resource in resources:
            archive.track(resource)
        for name, (function, specs) in endpoints.items():
            archive.add_endpoint(name, _calling(traced(function, specs)), specs)
        archive.write_out(str(scratch), verbose=False)
        if warmup:
            write_warmup_requests(scratch, warmup)
        _write_manifest(scratch, manifest)
        return _take_next_number(scratch, folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def traced(function, specs):
    """The function as one graph, a `ConcreteFunction`. TensorFlow traces a plain function twice."""
    import tensorflow as tf

    return tf.function(function, input_signature=specs, autograph=False).get_concrete_function()


def _calling(graph):
    return lambda *inputs: graph(*inputs)


def versions(folder):
    """The numbers of the versions in a folder, in rising order."""
    return sorted(int(entry.name) for entry in folder.iterdir() if entry.name.isdigit())


def _take_next_number(scratch, folder):
    while True:
        version = folder / str(max(versions(folder), default=0) + 1)
        try:
            os.rename(scratch, version)
        except OSError:
            if not version.exists():  # Else somebody else took the number just now.
                raise
        else:
            return version


def signatures(version):
    """What each signature of a SavedModel takes and returns: dtypes and shapes by name."""
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
        "signatures": signatures(folder),
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
