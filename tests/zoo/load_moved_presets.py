"""Loads presets and a `.keras` file in a process that has imported nothing else of the package.

Run as a script: the arguments are folders of presets and paths of `.keras` files.
"""

import pathlib
import sys

from keras_mmfusion import load_model, zoo
from keras_mmfusion.zoo.manifest import load_manifest

manifest = load_manifest()
for path in map(pathlib.Path, sys.argv[1:]):
    if path.suffix == ".keras":
        model = load_model(path)
    else:
        model = getattr(zoo, manifest[path.name].task)(path)
    print(path.name, model.count_params())
