import pytest

from keras_mmfusion.models.presets.preset_target import check_preset_target


def test_folder_with_other_files_raises_an_error(tmp_path):
    photos = tmp_path / "photos"
    check_preset_target(photos)
    photos.mkdir()
    check_preset_target(photos)
    (photos / "a.jpg").write_text("")
    for path in (photos, photos / "a.jpg"):
        with pytest.raises(ValueError, match="must be new, empty, or another preset"):
            check_preset_target(path)
    (photos / "task.json").write_text("{}")
    check_preset_target(photos)
