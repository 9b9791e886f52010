import pytest

from keras_mmfusion.models.presets.preset_target import check_preset_target


def test_a_folder_of_something_else_is_not_replaced(tmp_path):
    photos = tmp_path / "photos"
    check_preset_target(photos)
    photos.mkdir()
    check_preset_target(photos)
    (photos / "a.jpg").write_text("")
    for path in (photos, photos / "a.jpg"):
        with pytest.raises(ValueError, match="must be new, empty, or a preset to replace"):
            check_preset_target(path)
    (photos / "task.json").write_text("{}")
    check_preset_target(photos)
