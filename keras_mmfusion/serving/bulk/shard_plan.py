"""What a bulk captioning has to do: shards of images, written down once so that it can go on."""

import dataclasses
import json
import posixpath
import warnings

from keras_mmfusion.models.runs.run_record import changed_facts, digest_of
from keras_mmfusion.serving.bulk.stored_files import matching_files, names_in
from keras_mmfusion.serving.bulk.written_whole import written_whole

PLAN = "plan.jsonl"
SUFFIXES = {"jsonl": "jsonl", "tfrecords": "tfrecord"}


@dataclasses.dataclass(frozen=True)
class Shard:
    """A part of the work: what one worker captions and writes as one file.

    Attributes:
        number: int, from 0.
        count: int. How many shards there are.
        files: tuple of strings: image files, or one file of TFRecords.
        out: string. The folder that the captions go into.
        output_format: string, `"jsonl"` or `"tfrecords"`.
    """

    number: int
    count: int
    files: tuple[str, ...]
    out: str
    output_format: str

    @property
    def captions_path(self):
        """Where this shard's captions go. It is done when this file is there."""
        return posixpath.join(self.out, self.captions_name)

    @property
    def captions_name(self):
        """The name of that file."""
        return self._name("captions", SUFFIXES[self.output_format])

    @property
    def errors_path(self):
        """Where the images go that could not be captioned, with the reasons."""
        return posixpath.join(self.out, self._name("errors", "jsonl"))

    @property
    def is_records(self):
        """Whether the shard is a file of TFRecords, of any number of images."""
        return is_tfrecords(self.files[0])

    def _name(self, kind, suffix):
        return f"{kind}-{self.number:05d}-of-{self.count:05d}.{suffix}"


def is_tfrecords(path):
    """Whether a path or pattern is of TFRecords, by its name.

    Example:

    >>> is_tfrecords("photos/train-00000.tfrecord.gz"), is_tfrecords("photos/*.jpg")
    (True, False)
    """
    return "tfrecord" in posixpath.basename(path)


def make_plan(images, out, model, images_per_shard, output_format):
    """Writes the plan into `out`, or finds it there if the same work was begun before.

    Args:
        images: string. Pattern of image files or of TFRecords, for Beam's file systems.
        out: string. A folder.
        model: string. What tells the model, such as a hash of its manifest.
        images_per_shard: int. A file of TFRecords is always one shard.
        output_format: string, `"jsonl"` or `"tfrecords"`.

    Returns:
        The plan's path, and how many shards it has.

    Raises:
        ValueError: if no file matches, or `out` holds other work.

    Warns if the files that match have changed since the plan was written: the plan stays.
    """
    from apache_beam.io.filesystems import FileSystems

    path = FileSystems.join(out, PLAN)
    found = matching_files(images)
    if not found:
        raise ValueError(f"No file matches `images`. Received: {images!r}")
    files, states = list(found), list(found.values())
    settings = {
        "images": images,
        "model": model,
        "images_per_shard": images_per_shard,
        "output_format": output_format,
    }
    matched = {"files": f"{len(files)} ({digest_of([files, states])})"}
    if FileSystems.exists(path):
        begun = next(_read_plan(path))
        changes = changed_facts(begun, settings)
        if changes:
            raise ValueError(
                f"`out` holds captions with other settings: {'; '.join(changes)}. Received: "
                f"{out!r}. Choose another folder, or go on with the settings in {path!r}."
            )
        changes = changed_facts(begun, matched)
        if changes:
            warnings.warn(
                f"What matches `images` has changed since {path!r} was written: {changes[0]}. "
                "Captions that are written stay as they are, and new files are left out; choose "
                "another `out` to caption all files as they are now.",
                stacklevel=3,
            )
        return path, begun["shards"]
    size = 1 if is_tfrecords(images) else images_per_shard
    shards = [files[start : start + size] for start in range(0, len(files), size)]
    lines = [
        {**settings, **matched, "shards": len(shards)},
        *({"files": shard} for shard in shards),
    ]
    with written_whole(path) as file:
        file.writelines(json.dumps(line).encode() + b"\n" for line in lines)
    return path, len(shards)


def planned_shards(plan):
    """Yields all shards of a plan.

    Args:
        plan: string. The plan's path.
    """
    from apache_beam.io.filesystems import FileSystems

    out, _ = FileSystems.split(plan)
    lines = _read_plan(plan)
    settings = next(lines)
    for number, line in enumerate(lines):
        yield Shard(
            number, settings["shards"], tuple(line["files"]), out, settings["output_format"]
        )


def shards_to_do(plan):
    """Yields the plan's shards whose captions are not written yet.

    Args:
        plan: string. The plan's path.
    """
    from apache_beam.io.filesystems import FileSystems

    out, _ = FileSystems.split(plan)
    done = names_in(out, "captions-")
    for shard in planned_shards(plan):
        if shard.captions_name not in done:
            yield shard


def _read_plan(path):
    from apache_beam.io.filesystems import FileSystems

    with FileSystems.open(path) as file:
        yield from map(json.loads, file)
