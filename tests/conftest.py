import pytest


@pytest.fixture(scope="session")
def captioner_preset(tmp_path_factory):
    """The folder of a preset whose captioner has random weights and a vocabulary of ten words."""
    from models.captioning.small_captioners import small_captioner

    folder = tmp_path_factory.mktemp("presets") / "captioner_small"
    small_captioner().save_to_preset(folder)
    return str(folder)
