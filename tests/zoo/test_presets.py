import hashlib
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

from keras_mmfusion.zoo import mirror, resolve_preset
from keras_mmfusion.zoo.download import DownloadError, get_cache_folder
from keras_mmfusion.zoo.manifest import find_preset
from keras_mmfusion.zoo.presets import find_origins, get_preset_folder


@pytest.fixture
def installed(zoo, tmp_path, monkeypatch):
    """Simulates an installed package, outside of a source checkout."""
    module = tmp_path / "site-packages" / "keras_mmfusion" / "zoo" / "mirror.py"
    monkeypatch.setattr(mirror, "__file__", str(module))
    return zoo


def origin(preset):
    return find_origins([preset])[preset.name]


def test_package_has_priority(installed, preset, folder_mirror, monkeypatch):
    monkeypatch.setenv("KERAS_MMFUSION_MIRROR", str(folder_mirror))
    shutil.copytree(folder_mirror / preset.name, installed / preset.name)

    assert origin(preset) == "package"
    assert resolve_preset(preset.name) == str(installed / preset.name)
    assert not get_cache_folder(preset).exists()


def test_mirror_fills_the_cache(installed, preset, folder_mirror, monkeypatch):
    monkeypatch.setenv("KERAS_MMFUSION_MIRROR", str(folder_mirror))

    assert origin(preset) == "mirror"
    assert resolve_preset(preset.name) == str(get_cache_folder(preset))
    monkeypatch.delenv("KERAS_MMFUSION_MIRROR")
    assert origin(preset) == "cache"
    assert resolve_preset(preset.name) == str(get_cache_folder(preset))


def test_damaged_copy_in_the_package_is_not_used(installed, preset, folder_mirror, monkeypatch):
    monkeypatch.setenv("KERAS_MMFUSION_MIRROR", str(folder_mirror))
    shutil.copytree(folder_mirror / preset.name, installed / preset.name)
    (installed / preset.name / "config.json").write_text("{}")

    assert resolve_preset(preset.name) == str(get_cache_folder(preset))


def test_error_without_mirror_names_the_sources(installed, preset):
    with pytest.raises(DownloadError) as error:
        get_preset_folder(preset.name)
    assert str(error.value) == (
        "Preset 'captioner_tiny' is neither in the installed package nor in the cache. Set "
        "KERAS_MMFUSION_MIRROR to the address or folder that has `captioner_tiny/`, such as the "
        "`zoo/` folder of a source checkout, or pass the path or the hf:// handle of a preset."
    )


def test_damaged_cache_is_described_and_fetched_again(
    installed, preset, folder_mirror, monkeypatch, contents
):
    monkeypatch.setenv("KERAS_MMFUSION_MIRROR", str(folder_mirror))
    folder = get_preset_folder(preset.name)
    monkeypatch.delenv("KERAS_MMFUSION_MIRROR")
    damaged = contents["config.json"].upper()  # The same size.
    (folder / "config.json").write_bytes(damaged)

    assert origin(preset) == "damaged"
    with pytest.raises(DownloadError) as error:
        get_preset_folder(preset.name)
    hashes = [hashlib.sha256(x).hexdigest() for x in (contents["config.json"], damaged)]
    assert (
        f"is damaged in {folder}: config.json should have 27 bytes with the SHA-256 {hashes[0]}, "
        f"but has 27 bytes with {hashes[1]}. Set KERAS_MMFUSION_MIRROR"
    ) in str(error.value)

    monkeypatch.setenv("KERAS_MMFUSION_MIRROR", str(folder_mirror / "nothing"))
    with pytest.raises(DownloadError, match=r"Cannot fetch .*The local copy is damaged in .*"):
        get_preset_folder(preset.name)
    monkeypatch.setenv("KERAS_MMFUSION_MIRROR", str(folder_mirror))
    assert origin(preset) == "mirror"
    assert get_preset_folder(preset.name) == folder
    assert origin(preset) == "cache"


def test_incomplete_cache_is_an_error(installed, preset, folder_mirror, monkeypatch):
    monkeypatch.setenv("KERAS_MMFUSION_MIRROR", str(folder_mirror))
    folder = get_preset_folder(preset.name)
    monkeypatch.delenv("KERAS_MMFUSION_MIRROR")
    (folder / "model.weights.h5").unlink()

    with pytest.raises(DownloadError, match=r"incomplete in .*, which lacks model.weights.h5. Set"):
        get_preset_folder(preset.name)


def test_unavailable_preset_is_not_available(installed, preset, folder_mirror, monkeypatch):
    assert origin(preset) == "not available"
    monkeypatch.setenv("KERAS_MMFUSION_MIRROR", str(folder_mirror / "nothing"))
    assert origin(preset) == "not available"


def test_origin_depends_on_the_files_of_the_server(installed, preset, server, monkeypatch):
    monkeypatch.setenv("KERAS_MMFUSION_MIRROR", server.address)
    assert origin(preset) == "mirror"
    server.files[f"{preset.name}/model.weights.h5"] = b"another one"
    assert origin(preset) == "not available"
    server.files.clear()
    assert origin(preset) == "not available"


def test_unreachable_server_is_asked_once(installed, make_preset, server, monkeypatch):
    monkeypatch.setenv("KERAS_MMFUSION_MIRROR", server.address)
    server.shutdown()
    server.server_close()
    asked = []
    urlopen = mirror.urllib.request.urlopen
    monkeypatch.setattr(
        mirror.urllib.request, "urlopen", lambda *a, **k: asked.append(a) or urlopen(*a, **k)
    )
    presets = [make_preset(name) for name in ("a", "b", "c")]
    assert find_origins(presets) == dict.fromkeys("abc", "not available")
    assert len(asked) == 1


@pytest.mark.parametrize("handle", ["hf://someone/captioner", "kaggle://a/b/keras/c"])
def test_handles_are_returned_unchanged(handle):
    assert resolve_preset(handle) == handle


def test_scheme_of_a_handle_becomes_lower_case():
    assert resolve_preset("HF://Someone/Captioner") == "hf://Someone/Captioner"


def test_unknown_handle_is_an_error():
    with pytest.raises(ValueError, match="Received: preset='ftp://host/captioner'"):
        resolve_preset("ftp://host/captioner")


def test_folders_resolve_to_their_path(zoo, preset, folder_mirror, monkeypatch):
    folder = folder_mirror / preset.name
    assert resolve_preset(str(folder)) == resolve_preset(folder) == str(folder)
    monkeypatch.chdir(folder_mirror)
    folder.rename(folder_mirror / "mine")
    assert resolve_preset("mine") == "mine"
    assert resolve_preset("./mine") == "mine"
    monkeypatch.setenv("HOME", str(folder_mirror))
    monkeypatch.setenv("USERPROFILE", str(folder_mirror))
    assert resolve_preset("~/mine") == str(folder_mirror / "mine")
    with pytest.raises(ValueError, match="~no_such_user/mine does not exist"):
        resolve_preset("~no_such_user/mine")


def test_name_of_the_zoo_has_priority_over_a_folder(zoo, preset, folder_mirror, monkeypatch):
    monkeypatch.chdir(folder_mirror)
    monkeypatch.setenv("KERAS_MMFUSION_MIRROR", str(folder_mirror))

    assert resolve_preset(preset.name) == str(get_cache_folder(preset))
    assert resolve_preset(f"./{preset.name}") == preset.name


def test_path_without_preset_is_an_error(zoo, tmp_path):
    with pytest.raises(ValueError, match="nowhere does not exist"):
        resolve_preset(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="has no config.json"):
        resolve_preset(str(tmp_path))


def test_unknown_name_suggests_the_nearest(zoo, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="Did you mean 'captioner_tiny'"):
        resolve_preset("captioner_tinny")


@pytest.mark.parametrize("preset", [None, 3, ["captioner_tiny"]])
def test_other_types_are_errors(preset):
    with pytest.raises(TypeError, match="`preset` must be a string"):
        resolve_preset(preset)


def test_checkout_provides_the_published_presets(cache):
    name = "efficientnet_lite0_imagenet"
    source = pathlib.Path(__file__).parents[2] / "zoo" / name
    folder = get_preset_folder(name)

    assert folder == get_cache_folder(find_preset(name))
    weights = "model.weights.h5"
    assert (folder / weights).read_bytes() == (source / weights).read_bytes()


def run_package(root, code):
    """Copies the package, without presets, to a folder, and runs code with the copy."""
    package = pathlib.Path(mirror.__file__).parents[1]
    ignore = shutil.ignore_patterns("presets", "__pycache__")
    shutil.copytree(package / "zoo", root / "keras_mmfusion" / "zoo", ignore=ignore)
    # The module of the same name as the ignored folder.
    shutil.copy(package / "zoo" / "presets.py", root / "keras_mmfusion" / "zoo")
    for path in package.glob("*.py"):
        shutil.copy(path, root / "keras_mmfusion")
    environment = {name: x for name, x in os.environ.items() if name != "KERAS_MMFUSION_MIRROR"}
    environment |= {"PYTHONPATH": str(root), "KERAS_HOME": str(root / "home")}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=root
    )


RESOLVE = "from keras_mmfusion.zoo import resolve_preset; print(resolve_preset({!r}))"
ENCODER = "efficientnet_lite0_imagenet"


def test_editable_install_uses_the_zoo_of_its_checkout(tmp_path):
    (tmp_path / "pyproject.toml").touch()
    source = pathlib.Path(__file__).parents[2] / "zoo" / ENCODER
    shutil.copytree(source, tmp_path / "zoo" / ENCODER)
    run = run_package(tmp_path, RESOLVE.format(ENCODER))
    folder = pathlib.Path(run.stdout.strip())
    assert folder.is_relative_to(tmp_path / "home"), run.stderr
    assert (folder / "model.weights.h5").read_bytes() == (source / "model.weights.h5").read_bytes()


def test_installed_package_names_the_sources_of_presets_in_one_line(tmp_path):
    run = run_package(tmp_path, RESOLVE.format(ENCODER))
    error = run.stderr.splitlines()[-1]
    assert error.startswith("keras_mmfusion.zoo.download.DownloadError: Preset "), run.stderr
    assert "Set KERAS_MMFUSION_MIRROR to the address or folder" in error
    assert "hf:// handle" in error
