"""Reads MovieLens: ratings as interactions, and movies with optional posters and overviews."""

import dataclasses
import os
import pathlib
import re

import numpy as np

from keras_mmfusion._short_repr import short_repr
from keras_mmfusion.datasets.io.identifiers import check_ids, check_unique_ids
from keras_mmfusion.datasets.io.string_lists import check_string_lists, check_strings
from keras_mmfusion.datasets.recommendation.interactions import read_interactions
from keras_mmfusion.files.csv_files import read_csv

_YEAR = re.compile(r"\((\d{4})[^)]*\)\s*$")
NO_GENRES = "(no genres listed)"


@dataclasses.dataclass(frozen=True, repr=False)
class Movies:
    """Metadata of movies.

    Args:
        item_ids: string array `(movies,)`.
        titles: list of strings. The titles without the year.
        years: list of ints, or `None` if the title contains no year.
        genres: list of tuples of strings, which may be empty.
        overviews: list of strings, `""` if missing.
        posters: list of paths, `None` if missing.

    Raises:
        ValueError: if an id is missing or repeated, an argument is a string instead of a list, or
            the lengths differ.
    """

    item_ids: np.ndarray
    titles: list
    years: list
    genres: list
    overviews: list
    posters: list

    def __post_init__(self):
        object.__setattr__(self, "item_ids", check_unique_ids(self.item_ids, "`item_ids`"))
        check_strings("titles", self.titles)
        check_string_lists("genres", self.genres)
        lengths = {field.name: len(getattr(self, field.name)) for field in dataclasses.fields(self)}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"All lists must have the same length. Received: {lengths}")

    def __len__(self):
        return len(self.item_ids)

    def __repr__(self):
        posters = sum(path is not None for path in self.posters)
        return short_repr(self, movies=len(self), posters=posters)


def read_movielens(data_dir):
    """Reads a MovieLens folder with `ratings.csv` and `movies.csv`.

    Every rating, high or low, is an interaction, since the user chose to watch the movie.

    Args:
        data_dir: string or path. The unpacked folder of an archive such as `ml-latest-small.zip`
            from https://grouplens.org/datasets/movielens/. `ratings.csv` has the columns `userId`,
            `movieId` and `timestamp`; `movies.csv` has `movieId`, `title`, `genres`, and
            optionally `overview` and `poster`, a path in the folder.

    Returns:
        A tuple of `Interactions` and `Movies`.

    Raises:
        ValueError: if a file, a column or a poster is missing.
    """
    folder = pathlib.Path(os.path.expanduser(data_dir))
    for name in ("ratings.csv", "movies.csv"):
        if not (folder / name).is_file():
            raise ValueError(
                f"`data_dir` must contain ratings.csv and movies.csv; it has no {name}. Received: "
                f"data_dir={str(folder)!r}. Download MovieLens from "
                "https://grouplens.org/datasets/movielens/."
            )
    return read_ratings(folder / "ratings.csv"), _read_movies(folder)


def read_ratings(path):
    """Reads a table of MovieLens ratings.

    Args:
        path: string or path of a CSV file with the columns `userId`, `movieId` and `timestamp`, or
            a pandas `DataFrame`.

    Returns:
        `Interactions`.

    Raises:
        ValueError: if the table is invalid.
    """
    return read_interactions(path, "userId", "movieId", "timestamp")


def _read_movies(folder):
    path = folder / "movies.csv"
    lines, rows = [], []
    for line, row in read_csv(path, ("movieId", "title", "genres")):
        lines.append(line)
        rows.append(row)
    if not rows:
        raise ValueError(f"{os.fspath(path)!r} has no rows.")
    posters = [folder / row["poster"] if row.get("poster") else None for row in rows]
    missing = [str(path) for path in posters if path is not None and not path.is_file()]
    if missing:
        raise ValueError(f"Posters in movies.csv do not exist: {', '.join(missing[:20])}")
    years = [_YEAR.search(row["title"]) for row in rows]
    genres = [row["genres"].split("|") for row in rows]
    return Movies(
        item_ids=check_ids([row["movieId"] for row in rows], f"movieId of {path}", "line", lines),
        titles=[_YEAR.sub("", row["title"]).strip() for row in rows],
        years=[None if year is None else int(year.group(1)) for year in years],
        genres=[tuple(name for name in names if name and name != NO_GENRES) for names in genres],
        overviews=[row.get("overview") or "" for row in rows],
        posters=posters,
    )
