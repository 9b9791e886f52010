"""A JSON file of a data set, whose records are checked before they are used."""

import os

from keras_mmfusion.files.json_files import read_json
from keras_mmfusion.files.json_kinds import describe_json

# What a field of a record may be: types, and their name. What may be null may be absent, too.
ID = ((int, str), "an integer or a string")
TEXT = (str, "a string")
TEXT_OR_NULL = ((str, type(None)), "a string or null")
NUMBER = ((int, float), "a number")
LIST = (list, "a list")
LIST_OR_NULL = ((list, type(None)), "a list or null")
OBJECT = (dict, "an object")


class JsonFile:
    """A JSON file, read.

    Args:
        path: string or path.
        expected: string. What the file must be, for error messages.

    Attributes:
        content: what the file holds.

    Raises:
        OSError: if there is no such file.
        ValueError: if it is not JSON.
    """

    def __init__(self, path, expected):
        self.path = os.fspath(path)
        self.expected = expected
        self.content = read_json(path)

    def refuse(self, problem):
        """Raises an error that says what the file must be, and what it appears to be."""
        raise ValueError(
            f"{self.path!r} must be {self.expected}, but {problem}. The file appears to be "
            f"{describe_json(self.content)}."
        )

    def records(self, key=None, **fields):
        """The list of objects under a key, or the file's own.

        Args:
            key: string, or `None` for a file that is a list.
            **fields: those that every object must have, such as `caption=TEXT`.

        Returns:
            List of dicts.

        Raises:
            ValueError: if there is no such list, that of a key is empty, or an object lacks a
                field.
        """
        if key is None:
            return self.check(self.content, "it", **fields)
        if not isinstance(self.content, dict) or key not in self.content:
            self.refuse(f"it has no {key!r}")
        if self.content[key] == []:
            self.refuse(f"{key!r} is empty")
        return self.check(self.content[key], repr(key), **fields)

    def check(self, records, place, **fields):
        """Checks a list of objects of the file; see `records`.

        Args:
            records: the list.
            place: string. Where it is, for error messages.
            **fields: those that every object must have.

        Returns:
            The list.
        """
        if not isinstance(records, list):
            self.refuse(f"{place} is not a list")
        for index, record in enumerate(records):
            if not isinstance(record, dict):
                self.refuse(f"entry {index} of {place} is not an object: {record!r:.80}")
            for name, (types, words) in fields.items():
                value = record.get(name)
                if not isinstance(value, types) or isinstance(value, bool):
                    problem = (
                        f"has no {name!r}"
                        if name not in record
                        else f"must have {words} as its {name!r}, not {value!r:.80}"
                    )
                    self.refuse(f"entry {index} of {place} {problem}: {record!r:.200}")
        return records

    def without_repeats(self, records, key):
        """Records whose id was not there before.

        Args:
            records: list of dicts.
            key: string. The entry that is a record's id.

        Returns:
            List of dicts, the first of each id.

        Raises:
            ValueError: if records of one id differ.
        """
        first = {}
        for record in records:
            if first.setdefault(record[key], record) != record:
                raise ValueError(
                    f"{self.path!r}: two records with {key!r} {record[key]!r} differ: "
                    f"{first[record[key]]!r:.200} and {record!r:.200}"
                )
        return list(first.values())
