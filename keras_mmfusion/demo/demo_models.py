import threading

from keras_mmfusion.zoo import presets as zoo_presets
from keras_mmfusion.zoo.factories import load_preset
from keras_mmfusion.zoo.manifest import load_manifest

_MISSING = ("damaged", "not available")


class DemoModels:
    """The models of the page, loaded on first use and kept.

    Args:
        presets: iterable of strings, preset folders or handles that are offered first, in addition
            to the presets of the zoo that are in the package, in the cache, or on the mirror. They
            are loaded at once, since only the model shows what it is for.

    Raises:
        ValueError: if one of `presets` does not exist, or is for none of the tasks.

    Example:

    >>> DemoModels().list_presets("vqa")[0]
    'vqa_easy'
    """

    def __init__(self, presets=()):
        self._lock = threading.RLock()
        self._models = {}
        self._added = {name: self._find_task(name) for name in presets}

    def list_presets(self, task):
        """Lists the presets of a task that can be loaded, those in the package first.

        Args:
            task: string, as in the manifest of the zoo: `"captioner"`, `"vqa"`, or `"embedder"`.

        Returns:
            A list of strings.
        """
        known = [preset for preset in load_manifest().values() if preset.task == task]
        origins = zoo_presets.find_origins(known)
        found = [name for name, origin in origins.items() if origin not in _MISSING]
        found.sort(key=lambda name: origins[name] != "package")
        return [name for name, each in self._added.items() if each == task] + found

    def load(self, name):
        """Loads a preset.

        Args:
            name: string.

        Returns:
            A `keras.Model`.

        Raises:
            ValueError: if there is no such preset.
            OSError: if it cannot be fetched.
        """
        with self._lock:
            if name not in self._models:
                self._models[name] = load_preset(name)
            return self._models[name]

    def is_loaded(self, name):
        """Returns whether a preset has been loaded."""
        return name in self._models

    def describe(self, name):
        """Returns what the manifest of the zoo states about a preset, or an empty string."""
        preset = load_manifest().get(name)
        return "" if preset is None else preset.description

    def _find_task(self, name):
        from keras_mmfusion.models import (
            Captioner,
            ContrastiveModel,
            GitCaptioner,
            QuestionAnsweringModel,
        )

        model = self.load(name)
        if isinstance(model, GitCaptioner):  # It also answers questions.
            return "captioner"
        # Models that generate answers are captioners of images and questions.
        tasks = {
            QuestionAnsweringModel: "vqa",
            Captioner: "captioner",
            ContrastiveModel: "embedder",
        }
        for model_class, task in tasks.items():
            if isinstance(model, model_class):
                return task
        raise ValueError(
            "`presets` must be captioners, question answerers, or models that compare images and "
            f"texts. {name!r} is a {type(model).__name__}."
        )
