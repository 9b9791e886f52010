import sys
from types import SimpleNamespace

import pytest

from keras_mmfusion.models.presets.preset_folder import load_preset


@pytest.mark.parametrize("scheme", ["hf", "HF", "kaggle", "Kaggle"])
def test_hub_handles_are_passed_without_scheme(scheme, tmp_path, monkeypatch):
    fetched = []

    def fetch(handle):
        fetched.append(handle)
        return tmp_path

    monkeypatch.setattr("keras_mmfusion.models.presets.preset_folder.fetch_from_hub", fetch)
    monkeypatch.setitem(sys.modules, "kagglehub", SimpleNamespace(model_download=fetch))
    with pytest.raises(ValueError, match="must be a preset folder"):  # It is empty.
        load_preset(object, f"{scheme}://Someone/Captioner")
    assert fetched == ["Someone/Captioner"]


def test_unknown_schemes_raise_an_error():
    with pytest.raises(ValueError, match="hf:// or kaggle://. Received: 'gs://a/b'"):
        load_preset(object, "gs://a/b")
