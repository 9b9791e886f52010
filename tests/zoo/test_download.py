import io
import itertools
import pathlib
import shutil
import socket

import http_server
import pytest

from keras_mmfusion.zoo import download
from keras_mmfusion.zoo.download import (
    DownloadError,
    fetch_preset,
    find_missing_files,
    get_cache_folder,
)
from keras_mmfusion.zoo.mirror import create_mirror

WEIGHTS = "captioner_tiny/model.weights.h5"


def fetch(preset, server):
    return fetch_preset(preset, create_mirror(server.address))


def assert_complete(folder, contents):
    found = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}
    assert sorted(found) == sorted(contents)
    assert all(path.read_bytes() == contents[name] for name, path in found.items())


def assert_no_damaged_files(cache, contents):
    """Checks that files in the cache have the right content."""
    for name, content in contents.items():
        assert all(path.read_bytes() == content for path in cache.rglob(pathlib.Path(name).name))


def always(fault):
    return itertools.repeat(fault)


def test_files_are_fetched_once_to_keras_home(server, cache, preset, contents):
    folder = fetch(preset, server)

    assert folder == get_cache_folder(preset)
    assert folder.parent == cache / preset.name
    assert_complete(folder, contents)
    assert sorted(request.path for request in server.requests) == sorted(server.files)
    assert fetch(preset, server) == folder
    assert len(server.requests) == len(contents)


def test_keras_home_defaults_to_the_home_folder(preset, monkeypatch, tmp_path):
    monkeypatch.delenv("KERAS_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))

    assert get_cache_folder(preset).is_relative_to(tmp_path / ".keras" / "keras_mmfusion")


def test_interrupted_connection_is_resumed(server, preset, contents):
    server.faults[WEIGHTS] = iter([http_server.cut(100_000), http_server.cut(150_000)])

    assert_complete(fetch(preset, server), contents)
    requests = server.requests_for(WEIGHTS)
    assert [request.start for request in requests] == [0, 100_000, 250_000]
    assert sum(request.sent for request in requests) == len(contents["model.weights.h5"])


def test_interruptions_with_progress_do_not_count_as_attempts(server, preset, contents):
    server.faults[WEIGHTS] = always(http_server.cut(20_000))

    assert_complete(fetch(preset, server), contents)
    assert len(server.requests_for(WEIGHTS)) == 15 > download.ATTEMPTS


def test_connection_without_progress_is_an_error(server, cache, preset, contents):
    server.faults[WEIGHTS] = always(http_server.cut(0))

    with pytest.raises(DownloadError, match="ended after 0 of 300,000 bytes"):
        fetch(preset, server)
    assert len(server.requests_for(WEIGHTS)) == download.ATTEMPTS
    assert_no_damaged_files(cache, contents)


@pytest.mark.parametrize("refusal", [http_server.ignore_range, http_server.refuse_range])
def test_server_without_ranges_sends_the_whole_file(server, preset, contents, refusal):
    server.faults[WEIGHTS] = itertools.chain([http_server.cut(100_000)], always(refusal))

    assert_complete(fetch(preset, server), contents)
    assert server.requests_for(WEIGHTS)[-1].sent == len(contents["model.weights.h5"])


def test_interrupted_server_without_ranges_is_an_error(server, preset):
    def cut_without_range(handler, content):
        handler.start = 0
        http_server.cut(100_000)(handler, content)

    server.faults[WEIGHTS] = always(cut_without_range)

    with pytest.raises(DownloadError, match="ended after 100,000 of 300,000 bytes"):
        fetch(preset, server)
    assert len(server.requests_for(WEIGHTS)) == download.ATTEMPTS


def test_wrong_range_is_corrected(server, preset, contents):
    server.faults[WEIGHTS] = iter([http_server.cut(100_000), http_server.wrong_range])

    assert_complete(fetch(preset, server), contents)


def test_answer_without_content_range_is_an_error(server, cache, preset, contents):
    server.faults[WEIGHTS] = iter([http_server.cut(100_000), http_server.unnamed_range])

    with pytest.raises(DownloadError, match="206 without a range of bytes"):
        fetch(preset, server)
    assert_no_damaged_files(cache, contents)


def test_redirects_are_followed_with_the_range(server, preset, contents):
    server.files["elsewhere"] = contents["model.weights.h5"]
    server.faults[WEIGHTS] = always(http_server.redirect("elsewhere"))
    server.faults["elsewhere"] = iter([http_server.cut(100_000)])

    assert_complete(fetch(preset, server), contents)
    assert [request.start for request in server.requests_for("elsewhere")] == [0, 100_000]


def test_stalled_connection_is_resumed(server, preset, contents):
    server.faults[WEIGHTS] = iter([http_server.stall(100_000)])

    assert_complete(fetch(preset, server), contents)
    assert [request.start for request in server.requests_for(WEIGHTS)] == [0, 100_000]


def test_stalling_server_is_an_error(server, cache, preset, contents, monkeypatch):
    monkeypatch.setattr(download, "ATTEMPTS", 2)
    server.faults[WEIGHTS] = always(http_server.stall(0))

    with pytest.raises(DownloadError, match="sent nothing for 0.5 seconds"):
        fetch(preset, server)
    assert_no_damaged_files(cache, contents)


def test_server_errors_are_retried_with_growing_pauses(server, preset, contents, monkeypatch):
    pauses = []
    monkeypatch.setattr(download.time, "sleep", pauses.append)
    server.faults[WEIGHTS] = iter([http_server.status(code) for code in (500, 503, 429)])

    assert_complete(fetch(preset, server), contents)
    assert pauses == [download.FIRST_PAUSE_SECONDS * factor for factor in (1, 2, 4)]


def test_persistent_server_errors_are_an_error(server, cache, preset, contents):
    server.faults[WEIGHTS] = always(http_server.status(503))

    with pytest.raises(DownloadError, match="answered 503 Service Unavailable"):
        fetch(preset, server)
    assert len(server.requests_for(WEIGHTS)) == download.ATTEMPTS
    assert_no_damaged_files(cache, contents)


def test_missing_file_is_an_error_without_retry(server, cache, preset, contents):
    del server.files[WEIGHTS]

    with pytest.raises(DownloadError) as error:
        fetch(preset, server)
    message = str(error.value)
    assert "'captioner_tiny'" in message
    assert f"{server.address}/{WEIGHTS}: answered 404 Not Found" in message
    assert "KERAS_MMFUSION_MIRROR" in message
    assert len(server.requests_for(WEIGHTS)) == 1
    assert_no_damaged_files(cache, contents)


def test_changed_file_is_an_error(server, cache, preset, contents):
    server.faults[WEIGHTS] = always(http_server.other(lambda content: content[:-1] + b"?"))

    with pytest.raises(DownloadError, match="has another SHA-256 than"):
        fetch(preset, server)
    assert len(server.requests_for(WEIGHTS)) == 1
    assert not list(cache.rglob("model.weights.h5*"))
    assert_no_damaged_files(cache, contents)


@pytest.mark.parametrize("change", [lambda content: content[:-7], lambda content: content + b"!"])
def test_file_of_another_size_is_an_error(server, cache, preset, change):
    server.faults[WEIGHTS] = always(http_server.other(change))

    with pytest.raises(DownloadError, match="bytes long, not the 300,000 that the manifest lists"):
        fetch(preset, server)
    assert len(server.requests_for(WEIGHTS)) == 1
    assert not list(cache.rglob("model.weights.h5"))


def test_shortened_file_is_an_error_when_resumed(server, cache, preset):
    server.faults[WEIGHTS] = itertools.chain(
        [http_server.cut(200_000), http_server.status(416)],
        always(http_server.other(lambda content: content[:1000])),
    )

    with pytest.raises(DownloadError, match="1,000 bytes long"):
        fetch(preset, server)
    assert not list(cache.rglob("model.weights.h5"))


def test_answer_without_length_is_read_to_the_end(server, preset, contents):
    server.faults[WEIGHTS] = iter([http_server.without_length()])

    assert_complete(fetch(preset, server), contents)


def test_answer_beyond_the_listed_size_is_an_error(server, cache, preset):
    server.faults[WEIGHTS] = always(http_server.without_length(extra=b"?" * 1_000_000))

    with pytest.raises(DownloadError, match="is longer than the 300,000 bytes"):
        fetch(preset, server)
    assert all(path.stat().st_size <= 300_000 for path in cache.rglob("*"))


def test_refused_connection_names_the_address(cache, preset):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(DownloadError, match=f"{address}/captioner_tiny/.* refused"):
            fetch_preset(preset, create_mirror(address))


def test_partial_file_with_other_content_is_replaced(server, preset, contents):
    part = get_cache_folder(preset) / "model.weights.h5.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * 1000)

    assert_complete(fetch(preset, server), contents)
    assert [request.start for request in server.requests_for(WEIGHTS)] == [1000, 0]


@pytest.mark.parametrize("size", [300_000, 300_001])
def test_partial_file_of_full_size_is_verified(server, preset, contents, size):
    part = get_cache_folder(preset) / "model.weights.h5.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * size)

    assert_complete(fetch(preset, server), contents)
    assert [request.start for request in server.requests_for(WEIGHTS)] == [0]


def test_complete_partial_file_is_not_requested(server, preset, contents):
    part = get_cache_folder(preset) / "model.weights.h5.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(contents["model.weights.h5"])

    assert_complete(fetch(preset, server), contents)
    assert not server.requests_for(WEIGHTS)


def test_damaged_file_in_the_cache_is_replaced(server, preset, contents):
    folder = fetch(preset, server)
    weights = folder / "model.weights.h5"
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    (folder / "config.json").unlink()

    assert [file.path for file in find_missing_files(preset, folder)] == [
        "config.json",
        "model.weights.h5",
    ]
    assert_complete(fetch(preset, server), contents)
    assert len(server.requests) == len(contents) + 2


def test_empty_file_is_fetched(server, make_preset, contents):
    contents = {**contents, "assets/tokenizer/merges.txt": b""}
    preset = make_preset(contents=contents)
    server.files[f"{preset.name}/assets/tokenizer/merges.txt"] = b""

    assert_complete(fetch(preset, server), contents)


def test_cache_without_write_access_is_an_error(server, preset, tmp_path, monkeypatch):
    (tmp_path / "a file").touch()
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "a file"))

    with pytest.raises(
        DownloadError, match="Cannot write .*a file.* KERAS_HOME to a writable folder"
    ):
        fetch(preset, server)


def test_complete_cache_needs_no_write_access(server, preset):
    folder = fetch(preset, server)
    lock = folder.with_name(f"{folder.name}.lock")
    lock.unlink(missing_ok=True)
    lock.mkdir()  # No process can lock, so none can write.

    assert fetch(preset, server) == folder


def test_file_that_cannot_be_replaced_is_an_error(server, preset):
    (get_cache_folder(preset) / "model.weights.h5").mkdir(parents=True)

    with pytest.raises(DownloadError, match="Cannot write preset 'captioner_tiny' to the cache"):
        fetch(preset, server)


def test_progress_bar_counts_bytes(server, preset, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    screen = Terminal()
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    fetch(preset, server)

    assert "captioner_tiny" in screen.getvalue()
    assert "300.0/300.0 kB" in screen.getvalue()


@pytest.mark.parametrize("address", ["folder", "file"])
def test_folder_is_a_mirror(cache, preset, contents, folder_mirror, address):
    mirror = create_mirror(str(folder_mirror) if address == "folder" else folder_mirror.as_uri())

    assert_complete(fetch_preset(preset, mirror), contents)


def test_partial_file_is_resumed_from_a_folder(cache, preset, contents, folder_mirror):
    part = get_cache_folder(preset) / "model.weights.h5.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(contents["model.weights.h5"][:1000])

    assert_complete(fetch_preset(preset, create_mirror(str(folder_mirror))), contents)


def test_folder_without_the_preset_is_an_error(cache, preset, folder_mirror):
    shutil.rmtree(folder_mirror / preset.name)

    with pytest.raises(DownloadError, match="vocabulary.txt: No such file or directory"):
        fetch_preset(preset, create_mirror(str(folder_mirror)))
