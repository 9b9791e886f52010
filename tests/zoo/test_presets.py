import pathlib
import shutil

import pytest

from keras_mmfusion.zoo import mirror, resolve_preset
from keras_mmfusion.zoo.download import DownloadError, cache_folder
from keras_mmfusion.zoo.manifest import find_preset
from keras_mmfusion.zoo.presets import preset_folder, preset_origin


@pytest.fixture
def installed(zoo, tmp_path, monkeypatch):
    """The package as installed, not run from a source checkout."""
    module = tmp_path / "site-packages" / "keras_mmfusion" / "zoo" / "mirror.py"
    monkeypatch.setattr(mirror, "__file__", str(module))
    return zoo


def test_the_package_comes_first(installed, preset, folder_mirror, monkeypatch):
    monkeypatch.setenv("KERAS_MMFUSION_MIRROR", str(folder_mirror))
    shutil.copytree(folder_mirror / preset.name, installed / preset.name)

    assert preset_origin(preset) == "package"
    assert resolve_preset(preset.name) == str(installed / preset.name)
    assert not cache_folder(preset).exists()


def test_then_the_mirror_fills_the_cache(installed, preset, folder_mirror, monkeypatch):
    monkeypatch.setenv("KERAS_MMFUSION_MIRROR", str(folder_mirror))

    assert preset_origin(preset) == "mirror"
    assert resolve_preset(preset.name) == str(cache_folder(preset))
    monkeypatch.delenv("KERAS_MMFUSION_MIRROR")
    assert preset_origin(preset) == "cache"
    assert resolve_preset(preset.name) == str(cache_folder(preset))


def test_a_damaged_copy_in_the_package_is_not_handed_out(
    installed, preset, folder_mirror, monkeypatch
):
    monkeypatch.setenv("KERAS_MMFUSION_MIRROR", str(folder_mirror))
    shutil.copytree(folder_mirror / preset.name, installed / preset.name)
    (installed / preset.name / "config.json").write_text("{}")

    assert resolve_preset(preset.name) == str(cache_folder(preset))


def test_without_a_mirror_the_error_says_how_to_set_one(installed, preset):
    with pytest.raises(DownloadError) as error:
        preset_folder(preset.name)
    for part in (preset.name, str(cache_folder(preset)), "KERAS_MMFUSION_MIRROR", "`zoo/` folder"):
        assert part in str(error.value)


@pytest.mark.parametrize("handle", ["hf://someone/captioner", "kaggle://a/b/keras/c", "HF://a/b"])
def test_handles_pass_through(handle):
    assert resolve_preset(handle) == handle


def test_other_handles_are_refused():
    with pytest.raises(ValueError, match="Received: preset='ftp://host/captioner'"):
        resolve_preset("ftp://host/captioner")


def test_a_folder_is_a_path(zoo, preset, folder_mirror, monkeypatch):
    folder = folder_mirror / preset.name
    assert resolve_preset(str(folder)) == resolve_preset(folder) == str(folder)
    monkeypatch.chdir(folder_mirror)
    folder.rename(folder_mirror / "mine")
    assert resolve_preset("mine") == "mine"
    assert resolve_preset("./mine") == "mine"
    monkeypatch.setenv("HOME", str(folder_mirror))
    monkeypatch.setenv("USERPROFILE", str(folder_mirror))
    assert resolve_preset("~/mine") == str(folder_mirror / "mine")


def test_a_name_of_the_zoo_wins_over_a_folder_of_that_name(zoo, preset, folder_mirror, monkeypatch):
    monkeypatch.chdir(folder_mirror)
    monkeypatch.setenv("KERAS_MMFUSION_MIRROR", str(folder_mirror))

    assert resolve_preset(preset.name) == str(cache_folder(preset))
    assert resolve_preset(f"./{preset.name}") == preset.name


def test_a_path_that_holds_no_preset_is_an_error(zoo, tmp_path):
    with pytest.raises(ValueError, match="nowhere is not there"):
        resolve_preset(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="holds no config.json"):
        resolve_preset(str(tmp_path))


def test_an_unknown_name_suggests_the_nearest(zoo, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="Did you mean 'captioner_tiny'"):
        resolve_preset("captioner_tinny")


@pytest.mark.parametrize("preset", [None, 3, ["captioner_tiny"]])
def test_other_types_are_refused(preset):
    with pytest.raises(TypeError, match="`preset` must be a string"):
        resolve_preset(preset)


def test_the_checkout_serves_a_preset_of_the_real_manifest(cache):
    name = "efficientnet_lite0_imagenet"
    source = pathlib.Path(__file__).parents[2] / "zoo" / name
    folder = preset_folder(name)

    assert folder == cache_folder(find_preset(name))
    weights = "model.weights.h5"
    assert (folder / weights).read_bytes() == (source / weights).read_bytes()
