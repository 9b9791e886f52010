"""A pytest plugin (`-p hide_tensorflow`): TensorFlow is not installed, as far as imports go."""

from importlib.machinery import PathFinder

find_spec = PathFinder.find_spec
PathFinder.find_spec = classmethod(
    lambda cls, name, *args: None if name.startswith("tensorflow") else find_spec(name, *args)
)
