import packed_files
import pytest


@pytest.fixture(scope="session")
def packed(tmp_path_factory):
    """The folder of packed files."""
    folder = tmp_path_factory.mktemp("packed")
    packed_files.write_packed(folder)
    return folder


@pytest.fixture
def small_network(packed, monkeypatch):
    """What the packed files were made with, in this process too."""
    monkeypatch.setenv("GPU_PACKED", str(packed))
    with packed_files.small_network():
        yield
