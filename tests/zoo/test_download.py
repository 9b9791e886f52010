import io
import itertools
import pathlib
import shutil
import socket

import http_server
import pytest
from rich.console import Console

from keras_mmfusion.zoo import download
from keras_mmfusion.zoo.download import DownloadError, cache_folder, fetch_preset, missing_files
from keras_mmfusion.zoo.mirror import mirror_at

WEIGHTS = "captioner_tiny/model.weights.h5"


def fetch(preset, server):
    return fetch_preset(preset, mirror_at(server.address))


def assert_whole(folder, contents):
    found = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}
    assert sorted(found) == sorted(contents)
    assert all(path.read_bytes() == contents[name] for name, path in found.items())


def assert_nothing_broken(cache, contents):
    """Whatever lies in the cache under a file's own name is that file, byte for byte."""
    for name, content in contents.items():
        assert all(path.read_bytes() == content for path in cache.rglob(pathlib.Path(name).name))


def always(fault):
    return itertools.repeat(fault)


def test_fetches_into_keras_home_and_asks_only_once(server, cache, preset, contents):
    folder = fetch(preset, server)

    assert folder == cache_folder(preset)
    assert folder.parent == cache / preset.name
    assert_whole(folder, contents)
    assert sorted(request.path for request in server.requests) == sorted(server.files)
    assert fetch(preset, server) == folder
    assert len(server.requests) == len(contents)


def test_keras_home_defaults_to_the_home_folder(preset, monkeypatch, tmp_path):
    monkeypatch.delenv("KERAS_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))

    assert cache_folder(preset).is_relative_to(tmp_path / ".keras" / "keras_mmfusion")


def test_a_cut_connection_is_resumed_where_it_broke(server, preset, contents):
    server.faults[WEIGHTS] = iter([http_server.cut(100_000), http_server.cut(150_000)])

    assert_whole(fetch(preset, server), contents)
    requests = server.requests_for(WEIGHTS)
    assert [request.start for request in requests] == [0, 100_000, 250_000]
    assert sum(request.sent for request in requests) == len(contents["model.weights.h5"])


def test_breaks_that_bring_something_each_time_do_not_use_up_the_attempts(server, preset, contents):
    server.faults[WEIGHTS] = always(http_server.cut(20_000))

    assert_whole(fetch(preset, server), contents)
    assert len(server.requests_for(WEIGHTS)) == 15 > download.ATTEMPTS


def test_a_connection_that_always_breaks_at_the_start_gives_up(server, cache, preset, contents):
    server.faults[WEIGHTS] = always(http_server.cut(0))

    with pytest.raises(DownloadError, match="ended after 0 of 300,000 bytes"):
        fetch(preset, server)
    assert len(server.requests_for(WEIGHTS)) == download.ATTEMPTS
    assert_nothing_broken(cache, contents)


@pytest.mark.parametrize("refusal", [http_server.ignore_range, http_server.refuse_range])
def test_a_server_that_refuses_ranges_sends_it_all_again(server, preset, contents, refusal):
    server.faults[WEIGHTS] = itertools.chain([http_server.cut(100_000)], always(refusal))

    assert_whole(fetch(preset, server), contents)
    assert server.requests_for(WEIGHTS)[-1].sent == len(contents["model.weights.h5"])


def test_a_server_that_refuses_ranges_and_breaks_gives_up(server, preset):
    def cut_without_range(handler, content):
        handler.start = 0
        http_server.cut(100_000)(handler, content)

    server.faults[WEIGHTS] = always(cut_without_range)

    with pytest.raises(DownloadError, match="ended after 100,000 of 300,000 bytes"):
        fetch(preset, server)
    assert len(server.requests_for(WEIGHTS)) == download.ATTEMPTS


def test_an_answer_with_another_range_does_no_harm(server, preset, contents):
    server.faults[WEIGHTS] = iter([http_server.cut(100_000), http_server.wrong_range])

    assert_whole(fetch(preset, server), contents)


def test_an_answer_with_an_unnamed_range_is_an_error(server, cache, preset, contents):
    server.faults[WEIGHTS] = iter([http_server.cut(100_000), http_server.unnamed_range])

    with pytest.raises(DownloadError, match="206 without saying which bytes"):
        fetch(preset, server)
    assert_nothing_broken(cache, contents)


def test_redirects_are_followed_with_the_range(server, preset, contents):
    server.files["elsewhere"] = contents["model.weights.h5"]
    server.faults[WEIGHTS] = always(http_server.redirect("elsewhere"))
    server.faults["elsewhere"] = iter([http_server.cut(100_000)])

    assert_whole(fetch(preset, server), contents)
    assert [request.start for request in server.requests_for("elsewhere")] == [0, 100_000]


def test_a_stall_is_noticed_and_resumed(server, preset, contents):
    server.faults[WEIGHTS] = iter([http_server.stall(100_000)])

    assert_whole(fetch(preset, server), contents)
    assert [request.start for request in server.requests_for(WEIGHTS)] == [0, 100_000]


def test_a_server_that_only_stalls_is_an_error(server, cache, preset, contents, monkeypatch):
    monkeypatch.setattr(download, "ATTEMPTS", 2)
    server.faults[WEIGHTS] = always(http_server.stall(0))

    with pytest.raises(DownloadError, match="sent nothing for 0.5 seconds"):
        fetch(preset, server)
    assert_nothing_broken(cache, contents)


def test_server_errors_are_tried_again_with_growing_pauses(server, preset, contents, monkeypatch):
    pauses = []
    monkeypatch.setattr(download.time, "sleep", pauses.append)
    server.faults[WEIGHTS] = iter([http_server.status(code) for code in (500, 503, 429)])

    assert_whole(fetch(preset, server), contents)
    assert pauses == [download.FIRST_PAUSE_SECONDS * factor for factor in (1, 2, 4)]


def test_lasting_server_errors_give_up(server, cache, preset, contents):
    server.faults[WEIGHTS] = always(http_server.status(503))

    with pytest.raises(DownloadError, match="answered 503 Service Unavailable"):
        fetch(preset, server)
    assert len(server.requests_for(WEIGHTS)) == download.ATTEMPTS
    assert_nothing_broken(cache, contents)


def test_a_missing_file_is_an_error_at_once_that_names_all(server, cache, preset, contents):
    del server.files[WEIGHTS]

    with pytest.raises(DownloadError) as error:
        fetch(preset, server)
    message = str(error.value)
    assert "'captioner_tiny'" in message
    assert f"{server.address}/{WEIGHTS}: answered 404 Not Found" in message
    assert "KERAS_MMFUSION_MIRROR" in message
    assert len(server.requests_for(WEIGHTS)) == 1
    assert_nothing_broken(cache, contents)


def test_a_changed_file_is_refused(server, cache, preset, contents):
    server.faults[WEIGHTS] = always(http_server.other(lambda content: content[:-1] + b"?"))

    with pytest.raises(DownloadError, match="has another SHA-256 than"):
        fetch(preset, server)
    assert len(server.requests_for(WEIGHTS)) == 1
    assert not list(cache.rglob("model.weights.h5*"))
    assert_nothing_broken(cache, contents)


@pytest.mark.parametrize("change", [lambda content: content[:-7], lambda content: content + b"!"])
def test_a_file_of_another_size_is_refused_before_it_is_read(server, cache, preset, change):
    server.faults[WEIGHTS] = always(http_server.other(change))

    with pytest.raises(DownloadError, match="bytes long, not the 300,000 that the manifest lists"):
        fetch(preset, server)
    assert len(server.requests_for(WEIGHTS)) == 1
    assert not list(cache.rglob("model.weights.h5"))


def test_a_shortened_file_is_refused_on_resuming_beyond_its_end(server, cache, preset):
    server.faults[WEIGHTS] = itertools.chain(
        [http_server.cut(200_000), http_server.status(416)],
        always(http_server.other(lambda content: content[:1000])),
    )

    with pytest.raises(DownloadError, match="1,000 bytes long"):
        fetch(preset, server)
    assert not list(cache.rglob("model.weights.h5"))


def test_an_answer_without_a_length_is_read_to_its_end(server, preset, contents):
    server.faults[WEIGHTS] = iter([http_server.without_length()])

    assert_whole(fetch(preset, server), contents)


def test_an_answer_that_goes_on_and_on_is_cut_off(server, cache, preset):
    server.faults[WEIGHTS] = always(http_server.without_length(extra=b"?" * 1_000_000))

    with pytest.raises(DownloadError, match="goes on after the 300,000 bytes"):
        fetch(preset, server)
    assert all(path.stat().st_size <= 300_000 for path in cache.rglob("*"))


def test_no_network_is_an_error_that_names_the_address(cache, preset):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(DownloadError, match=f"{address}/captioner_tiny/.* refused"):
            fetch_preset(preset, mirror_at(address))


def test_what_was_left_of_another_file_is_replaced(server, preset, contents):
    part = cache_folder(preset) / "model.weights.h5.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * 1000)

    assert_whole(fetch(preset, server), contents)
    assert [request.start for request in server.requests_for(WEIGHTS)] == [1000, 0]


@pytest.mark.parametrize("size", [300_000, 300_001])
def test_a_left_over_part_of_full_length_is_checked(server, preset, contents, size):
    part = cache_folder(preset) / "model.weights.h5.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * size)

    assert_whole(fetch(preset, server), contents)
    assert [request.start for request in server.requests_for(WEIGHTS)] == [0]


def test_a_part_that_is_already_whole_is_not_asked_for(server, preset, contents):
    part = cache_folder(preset) / "model.weights.h5.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(contents["model.weights.h5"])

    assert_whole(fetch(preset, server), contents)
    assert not server.requests_for(WEIGHTS)


def test_a_damaged_file_in_the_cache_is_replaced(server, preset, contents):
    folder = fetch(preset, server)
    weights = folder / "model.weights.h5"
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    (folder / "config.json").unlink()

    assert [file.path for file in missing_files(preset, folder)] == [
        "config.json",
        "model.weights.h5",
    ]
    assert_whole(fetch(preset, server), contents)
    assert len(server.requests) == len(contents) + 2


def test_an_empty_file_is_fetched_too(server, make_preset, contents):
    contents = {**contents, "assets/tokenizer/merges.txt": b""}
    preset = make_preset(contents=contents)
    server.files[f"{preset.name}/assets/tokenizer/merges.txt"] = b""

    assert_whole(fetch(preset, server), contents)


def test_a_cache_that_cannot_be_written_is_an_error_that_says_so(
    server, preset, tmp_path, monkeypatch
):
    (tmp_path / "a file").touch()
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "a file"))

    with pytest.raises(DownloadError, match="Cannot write .*a file.* set KERAS_HOME to a folder"):
        fetch(preset, server)


def test_a_full_cache_that_cannot_be_written_still_serves(server, preset):
    folder = fetch(preset, server)
    lock = folder.with_name(f"{folder.name}.lock")
    lock.unlink(missing_ok=True)
    lock.mkdir()  # No process can lock, so none can write.

    assert fetch(preset, server) == folder


def test_a_file_that_cannot_be_put_in_place_is_an_error(server, preset):
    (cache_folder(preset) / "model.weights.h5").mkdir(parents=True)

    with pytest.raises(DownloadError, match="Cannot write preset 'captioner_tiny' to the cache"):
        fetch(preset, server)


def test_the_progress_bar_counts_the_bytes(server, preset, monkeypatch):
    screen = io.StringIO()
    monkeypatch.setattr(
        download, "_console", lambda: Console(file=screen, force_terminal=True, width=100)
    )
    fetch(preset, server)

    assert "captioner_tiny" in screen.getvalue()
    assert "300.0/300.0 kB" in screen.getvalue()


@pytest.mark.parametrize("address", ["folder", "file"])
def test_a_folder_is_a_mirror(cache, preset, contents, folder_mirror, address):
    mirror = mirror_at(str(folder_mirror) if address == "folder" else folder_mirror.as_uri())

    assert_whole(fetch_preset(preset, mirror), contents)


def test_a_part_is_resumed_from_a_folder(cache, preset, contents, folder_mirror):
    part = cache_folder(preset) / "model.weights.h5.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(contents["model.weights.h5"][:1000])

    assert_whole(fetch_preset(preset, mirror_at(str(folder_mirror))), contents)


def test_a_folder_without_the_preset_is_an_error(cache, preset, folder_mirror):
    shutil.rmtree(folder_mirror / preset.name)

    with pytest.raises(DownloadError, match="vocabulary.txt: No such file or directory"):
        fetch_preset(preset, mirror_at(str(folder_mirror)))
