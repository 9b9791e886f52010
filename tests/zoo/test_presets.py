import hashlib
import pathlib
import shutil

import pytest

from keras_mmfusion.zoo import mirror, resolve_preset
from keras_mmfusion.zoo.download import DownloadError, cache_folder
from keras_mmfusion.zoo.manifest import find_preset
from keras_mmfusion.zoo.presets import preset_folder, preset_origins


@pytest.fixture
def installed(zoo, tmp_path, monkeypatch):
    """The package as installed, not run from a source checkout."""
    module = tmp_path / "site-packages" / "keras_mmfusion" / "zoo" / "mirror.py"
    monkeypatch.setattr(mirror, "__file__", str(module))
    return zoo


def origin(preset):
    return preset_origins([preset])[preset.name]


def test_the_package_comes_first(installed, preset, folder_mirror, monkeypatch):
    monkeypatch.setenv("KERAS_MMFUSION_MIRROR", str(folder_mirror))
    shutil.copytree(folder_mirror / preset.name, installed / preset.name)

    assert origin(preset) == "package"
    assert resolve_preset(preset.name) == str(installed / preset.name)
    assert not cache_folder(preset).exists()


def test_then_the_mirror_fills_the_cache(installed, preset, folder_mirror, monkeypatch):
    monkeypatch.setenv("KERAS_MMFUSION_MIRROR", str(folder_mirror))

    assert origin(preset) == "mirror"
    assert resolve_preset(preset.name) == str(cache_folder(preset))
    monkeypatch.delenv("KERAS_MMFUSION_MIRROR")
    assert origin(preset) == "cache"
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


def test_a_damaged_cache_without_a_mirror(installed, preset, folder_mirror, monkeypatch, contents):
    monkeypatch.setenv("KERAS_MMFUSION_MIRROR", str(folder_mirror))
    folder = preset_folder(preset.name)
    monkeypatch.delenv("KERAS_MMFUSION_MIRROR")
    damaged = contents["config.json"].upper()  # Of the same size.
    (folder / "config.json").write_bytes(damaged)

    assert origin(preset) == "damaged"
    with pytest.raises(DownloadError) as error:
        preset_folder(preset.name)
    hashes = [hashlib.sha256(x).hexdigest() for x in (contents["config.json"], damaged)]
    assert (
        f"is damaged in {folder}: config.json should have 27 bytes with the SHA-256 {hashes[0]}, "
        f"but has 27 bytes with {hashes[1]}; and there is no mirror to fetch it from again. Set "
        "KERAS_MMFUSION_MIRROR"
    ) in str(error.value)

    monkeypatch.setenv("KERAS_MMFUSION_MIRROR", str(folder_mirror / "nothing"))
    with pytest.raises(DownloadError, match=r"Cannot fetch preset .*The copy .* is damaged in .*"):
        preset_folder(preset.name)
    monkeypatch.setenv("KERAS_MMFUSION_MIRROR", str(folder_mirror))
    assert origin(preset) == "mirror"
    assert preset_folder(preset.name) == folder
    assert origin(preset) == "cache"


def test_a_download_that_was_broken_off(installed, preset, folder_mirror, monkeypatch):
    monkeypatch.setenv("KERAS_MMFUSION_MIRROR", str(folder_mirror))
    folder = preset_folder(preset.name)
    monkeypatch.delenv("KERAS_MMFUSION_MIRROR")
    (folder / "model.weights.h5").unlink()

    with pytest.raises(DownloadError, match=r"incomplete in .*, which lacks model.weights.h5; and"):
        preset_folder(preset.name)


def test_a_preset_that_is_nowhere(installed, preset, folder_mirror, monkeypatch):
    assert origin(preset) == "not available"
    monkeypatch.setenv("KERAS_MMFUSION_MIRROR", str(folder_mirror / "nothing"))
    assert origin(preset) == "not available"


def test_a_server_is_asked_whether_it_has_a_preset(installed, preset, server, monkeypatch):
    monkeypatch.setenv("KERAS_MMFUSION_MIRROR", server.address)
    assert origin(preset) == "mirror"
    server.files[f"{preset.name}/model.weights.h5"] = b"another one"
    assert origin(preset) == "not available"
    server.files.clear()
    assert origin(preset) == "not available"


def test_a_server_that_does_not_answer_is_asked_once(installed, make_preset, server, monkeypatch):
    monkeypatch.setenv("KERAS_MMFUSION_MIRROR", server.address)
    server.shutdown()
    server.server_close()
    asked = []
    urlopen = mirror.urllib.request.urlopen
    monkeypatch.setattr(
        mirror.urllib.request, "urlopen", lambda *a, **k: asked.append(a) or urlopen(*a, **k)
    )
    presets = [make_preset(name) for name in ("a", "b", "c")]
    assert preset_origins(presets) == dict.fromkeys("abc", "not available")
    assert len(asked) == 1


@pytest.mark.parametrize("handle", ["hf://someone/captioner", "kaggle://a/b/keras/c"])
def test_handles_pass_through(handle):
    assert resolve_preset(handle) == handle


def test_the_scheme_of_a_handle_has_no_capitals():
    assert resolve_preset("HF://Someone/Captioner") == "hf://Someone/Captioner"


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
    with pytest.raises(ValueError, match="~no_such_user/mine is not there"):
        resolve_preset("~no_such_user/mine")


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
