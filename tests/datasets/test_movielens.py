import numpy as np
import pytest
from PIL import Image

from keras_mmfusion.datasets import Movies, read_movielens

MOVIES = """movieId,title,genres,imdbId,tmdbId,poster,overview
1,Toy Story (1995),Adventure|Animation,0114709,862,posters/1.jpg,"Toys, alive."
2,"Misérables, Les (1995-1996)",(no genres listed),0113828,,,
9,Babylon 5,Sci-Fi,0105946,,,
"""
RATINGS = "userId,movieId,rating,timestamp\n1,1,4.0,964982703\n1,9,0.5,964982224\n2,1,3.0,5\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "posters").mkdir()
    Image.new("RGB", (8, 12)).save(tmp_path / "posters" / "1.jpg")
    (tmp_path / "movies.csv").write_text(MOVIES, encoding="utf-8")
    (tmp_path / "ratings.csv").write_text(RATINGS)
    return tmp_path


def test_reads_ratings_and_movies_with_missing_fields(folder):
    interactions, movies = read_movielens(folder)
    assert interactions.users.tolist() == ["1", "1", "2"]
    assert interactions.items.tolist() == ["1", "9", "1"]
    assert movies.item_ids.tolist() == ["1", "2", "9"] and len(movies) == 3
    assert movies.titles == ["Toy Story", "Misérables, Les", "Babylon 5"]
    assert movies.years == [1995, 1995, None]
    assert movies.genres == [("Adventure", "Animation"), (), ("Sci-Fi",)]
    assert movies.overviews == ["Toys, alive.", "", ""]
    assert movies.posters == [folder / "posters" / "1.jpg", None, None]


def test_posters_and_overviews_are_optional(folder):
    lines = MOVIES.replace(',posters/1.jpg,"Toys, alive."', ",,").splitlines()
    plain = "\n".join([lines[0].replace(",poster,overview", ""), *(x[:-2] for x in lines[1:])])
    (folder / "movies.csv").write_text(plain, encoding="utf-8")
    movies = read_movielens(folder)[1]
    assert movies.posters == [None] * 3 and movies.overviews == [""] * 3


def test_missing_files_and_columns_are_named(folder):
    (folder / "posters" / "1.jpg").unlink()
    with pytest.raises(ValueError, match="Posters in movies.csv do not exist: .*1.jpg"):
        read_movielens(folder)
    (folder / "movies.csv").write_text("movieId,title\n1,A\n")
    with pytest.raises(ValueError, match="has no column 'genres'"):
        read_movielens(folder)
    (folder / "ratings.csv").unlink()
    with pytest.raises(ValueError, match="it has no ratings.csv"):
        read_movielens(folder)


def test_unquoted_commas_are_rejected(folder):
    (folder / "movies.csv").write_text("movieId,title,genres\n1,Miserables, Les,Drama\n")
    with pytest.raises(ValueError, match="line 2: expected 3 cells.* found 4.*double quotes"):
        read_movielens(folder)
    (folder / "movies.csv").write_text('movieId,title,genres\n1,"Toy Story,Drama\n2,B,C\n')
    with pytest.raises(ValueError, match="line 2: a quoted cell is not closed"):
        read_movielens(folder)
    (folder / "movies.csv").write_text("movieId,title,genres\n,A,B\n")
    with pytest.raises(ValueError, match="movieId of .* must not be missing.* line 2"):
        read_movielens(folder)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("", "movies.csv' has no rows"),
        ("1,A,B\n2,C,D\n1,E,F\n", "`item_ids` has repeated ids: 1"),
    ],
)
def test_empty_and_repeated_movies_are_rejected(folder, rows, message):
    (folder / "movies.csv").write_text(f"movieId,title,genres\n{rows}")
    with pytest.raises(ValueError, match=message):
        read_movielens(folder)


def test_different_lengths_are_rejected():
    with pytest.raises(ValueError, match="must have the same length. .*'titles': 1"):
        Movies(["1", "2"], ["A"], [1, 2], [["x"], ["y"]], ["", ""], [None, None])


def test_repr_shows_the_sizes(folder):
    assert repr(read_movielens(folder)[1]) == "Movies(movies=3, posters=1)"


@pytest.mark.filterwarnings("ignore:.*no word in the vocabulary")
def test_movie_features_match_reference(folder):
    from models.retrieval.small_embedders import small_embedder

    from keras_mmfusion.encoders import ImageEncoder
    from keras_mmfusion.models.recommendation import encode_movies

    movies = read_movielens(folder)[1]
    encoder = ImageEncoder("lite0", image_size=32)
    items = encode_movies(movies, encoder, small_embedder())
    masks = {name: items.get_mask(name).tolist() for name in items.features}
    assert masks == {
        "poster": [True, False, False],
        "title": [True, True, True],
        "overview": [True, False, False],
        "genres": [True, False, True],
        "year": [True, True, False],
    }
    black = np.full((1, 32, 32, 3), -127 / 128, "float32")
    expected = np.asarray(encoder(black)).mean(axis=1)[0]
    np.testing.assert_allclose(items.features["poster"][0], expected, rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(items.features["genres"][[0, 2]], [[1, 1, 0], [0, 0, 1]])
