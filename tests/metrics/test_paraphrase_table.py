import os

import pytest
from meteor_small_tables import PARAPHRASES, write_tables

from keras_mmfusion.metrics.meteor.paraphrase_table import ParaphraseTable


@pytest.fixture
def path(tmp_path):
    folder = tmp_path / "meteor"
    folder.mkdir()
    write_tables(folder)
    return folder / "data" / "paraphrase-en.gz"


def select_phrases(table, sentences):
    phrases = {table.encode(phrase.split()): phrase for pair in PARAPHRASES for phrase in pair}
    selected = table.select([table.encode(sentence.split()) for sentence in sentences])
    return {
        phrases[key]: sorted(phrases[other] for other in others) for key, others in selected.items()
    }


def test_select_returns_pairs_that_occur_in_the_sentences(path, tmp_path):
    table = ParaphraseTable(path, tmp_path / "cache")
    sentences = ["in front of a dog", "something before it", "the dog jumps"]
    assert select_phrases(table, sentences) == {
        "dog": ["the dog"],
        "in front of": ["before"],
        "the dog": ["dog", "it"],
    }
    # The words of "is jumping" occur, but not in one sentence.
    assert "jumps" not in select_phrases(table, ["the dog is", "jumping", "jumps"])


def test_keys_sort_like_phrases(path, tmp_path):
    table = ParaphraseTable(path, tmp_path / "cache")
    phrases = sorted({phrase for pair in PARAPHRASES for phrase in pair})
    assert sorted(phrases, key=lambda phrase: table.encode(phrase.split())) == phrases


@pytest.mark.parametrize("characters", [1, 7, 50, 200])
def test_chunks_do_not_change_the_table(path, tmp_path, monkeypatch, characters):
    sentences = [phrase for pair in PARAPHRASES for phrase in pair]
    expected = select_phrases(ParaphraseTable(path, tmp_path / "cache"), sentences)
    assert sum(map(len, expected.values())) == len(PARAPHRASES)
    monkeypatch.setattr(
        "keras_mmfusion.metrics.meteor.paraphrase_table._CHUNK_CHARACTERS", characters
    )
    table = ParaphraseTable(path, tmp_path / "other cache")
    assert select_phrases(table, sentences) == expected


def test_unknown_words_match_nothing(path, tmp_path):
    table = ParaphraseTable(path, tmp_path / "cache")
    assert table.select([table.encode(["unheard", "of"]), table.encode([])]) == {}


def test_second_table_is_loaded_from_the_cache(path, tmp_path, monkeypatch):
    cache = tmp_path / "cache"
    sentences = ["the dog", "dog"]
    expected = select_phrases(ParaphraseTable(path, cache), sentences)
    (file,) = cache.iterdir()
    monkeypatch.setattr("gzip.open", lambda *_, **__: pytest.fail("the pairs are read again"))
    assert select_phrases(ParaphraseTable(path, cache), sentences) == expected
    assert list(cache.iterdir()) == [file]


@pytest.mark.parametrize("size", [0, 10, 300])
def test_damaged_cache_is_rewritten(path, tmp_path, size):
    cache = tmp_path / "cache"
    sentences = ["the dog", "dog"]
    expected = select_phrases(ParaphraseTable(path, cache), sentences)
    (file,) = cache.iterdir()
    content = file.read_bytes()
    file.write_bytes(content[:size])
    assert select_phrases(ParaphraseTable(path, cache), sentences) == expected
    assert file.stat().st_size == len(content)


def test_unwritable_cache_folder_is_ignored(path, tmp_path):
    (tmp_path / "file").touch()
    table = ParaphraseTable(path, tmp_path / "file" / "cache")
    assert select_phrases(table, ["the dog", "dog"])


def test_cache_is_written_to_keras_home(path, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    ParaphraseTable(path)
    assert os.listdir(tmp_path / "home") == ["keras_mmfusion"]
