"""What every evaluation states about the program and the machine that it ran on."""

import importlib.metadata
import os
import platform

import keras_mmfusion


def describe_versions():
    """Returns the versions that decide what a model computes, as a dict of strings."""
    import keras

    backend = keras.config.backend()
    packages = ("keras", "keras-hub", "numpy", backend)
    return {
        "keras_mmfusion": keras_mmfusion.__version__,
        **{name.replace("-", "_"): importlib.metadata.version(name) for name in packages},
        "backend": backend,
        "python": platform.python_version(),
    }


def describe_machine():
    """Returns the processor and its cores, as a dict; nothing that names the machine itself."""
    return {"cpu": _cpu_model(), "cores": os.cpu_count(), "system": platform.system()}


def _cpu_model():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass  # Not Linux.
    return platform.processor() or platform.machine()
