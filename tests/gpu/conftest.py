import packed_files
import pytest


@pytest.fixture(scope="session")
def packed(tmp_path_factory):
    """Writes a folder of packed files."""
    folder = tmp_path_factory.mktemp("packed")
    packed_files.write_packed(folder)
    return folder


@pytest.fixture
def small_network(packed, monkeypatch):
    """Uses the packed files and their small network in this process."""
    monkeypatch.setenv("GPU_PACKED", str(packed))
    with packed_files.small_network():
        yield
