"""JSON files of data sets with checks of their records."""

import os

from keras_mmfusion.files.json_files import read_json
from keras_mmfusion.files.json_kinds import describe_json

# The types of a field, and their description. Fields that may be null may also be absent.
ID = ((int, str), "an integer or a string")
TEXT = (str, "a string")
TEXT_OR_NULL = ((str, type(None)), "a string or null")
NUMBER = ((int, float), "a number")
LIST = (list, "a list")
LIST_OR_NULL = ((list, type(None)), "a list or null")
OBJECT = (dict, "an object")


class JsonFile:
    """The content of a JSON file.

    Args:
        path: string or path.
        expected: string. The description of the expected file in error messages.

    Attributes:
        content: the parsed content.

    Raises:
        OSError: if the file does not exist.
        ValueError: if the file is not valid JSON.
    """

    def __init__(self, path, expected):
        self.path = os.fspath(path)
        self.expected = expected
        self.content = read_json(path)

    def fail(self, problem):
        """Raises an error that describes the expected and the actual file."""
        raise ValueError(
            f"{self.path!r} must be {self.expected}, but {problem}. The file appears to be "
            f"{describe_json(self.content)}."
        )

    def get_records(self, key=None, **fields):
        """Returns the list of objects of a key, or of the whole file, after checking its fields.

        Args:
            key: string, or `None` if the file is a list.
            **fields: the required fields of each object, such as `caption=TEXT`.

        Returns:
            List of dicts.

        Raises:
            ValueError: if there is no such list, the list of a key is empty, or a field is missing
                or has another type.
        """
        if key is None:
            return self.check_records(self.content, "it", **fields)
        if not isinstance(self.content, dict) or key not in self.content:
            self.fail(f"it has no {key!r}")
        if self.content[key] == []:
            self.fail(f"{key!r} is empty")
        return self.check_records(self.content[key], repr(key), **fields)

    def check_records(self, records, name, **fields):
        """Checks a list of objects of the file; see `get_records`.

        Args:
            records: the list.
            name: string. The name of the list in error messages.
            **fields: the required fields of each object.

        Returns:
            The list.
        """
        if not isinstance(records, list):
            self.fail(f"{name} is not a list")
        for index, record in enumerate(records):
            if not isinstance(record, dict):
                self.fail(f"entry {index} of {name} is not an object: {record!r:.80}")
            for field, (types, description) in fields.items():
                value = record.get(field)
                if not isinstance(value, types) or isinstance(value, bool):
                    problem = (
                        f"has no {field!r}"
                        if field not in record
                        else f"must have {description} as its {field!r}, not {value!r:.80}"
                    )
                    self.fail(f"entry {index} of {name} {problem}: {record!r:.200}")
        return records

    def drop_repeats(self, records, key):
        """Removes repeated records.

        Args:
            records: list of dicts.
            key: string. The key of the id of a record.

        Returns:
            List of dicts, the first record of each id.

        Raises:
            ValueError: if records with the same id differ.
        """
        first = {}
        for record in records:
            if first.setdefault(record[key], record) != record:
                raise ValueError(
                    f"{self.path!r}: two records with {key!r} {record[key]!r} differ: "
                    f"{first[record[key]]!r:.200} and {record!r:.200}"
                )
        return list(first.values())
