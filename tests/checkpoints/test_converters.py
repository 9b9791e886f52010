import importlib

import pytest

from keras_mmfusion.checkpoints import converters


def test_unknown_model_types_list_the_supported_ones(monkeypatch):
    monkeypatch.setattr(converters, "CONVERTERS", {"git": "git", "blip": "blip"})
    with pytest.raises(ValueError, match="'t9' is not supported. .*: 'blip', 'git'"):
        converters.find_converter("t9")


def test_every_converter_has_its_functions():
    for model_type, module in converters.CONVERTERS.items():
        converter = importlib.import_module(f"keras_mmfusion.checkpoints.{module}")
        assert converters.find_converter(model_type) is converter
        assert callable(converter.build_model)
        assert callable(converter.list_weights)
