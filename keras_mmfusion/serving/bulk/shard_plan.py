"""The plan of bulk captioning: shards of images, stored so that a run can be resumed."""

import dataclasses
import json
import posixpath
import warnings

from keras_mmfusion.models.runs.run_record import compute_digest, list_changes
from keras_mmfusion.serving.bulk.atomic_file import open_atomic
from keras_mmfusion.serving.bulk.beam_files import list_names, match_files

PLAN = "plan.jsonl"
SUFFIXES = {"jsonl": "jsonl", "tfrecords": "tfrecord"}


@dataclasses.dataclass(frozen=True)
class Shard:
    """The images that one worker captions and writes to one file.

    Attributes:
        number: int, from 0.
        count: int. The number of shards.
        files: tuple of strings: image files, or one file of TFRecords.
        out: string. The output folder of the captions.
        output_format: string, `"jsonl"` or `"tfrecords"`.
    """

    number: int
    count: int
    files: tuple[str, ...]
    out: str
    output_format: str

    @property
    def captions_path(self):
        """The path of the captions. The shard is finished if this file exists."""
        return posixpath.join(self.out, self.captions_name)

    @property
    def captions_name(self):
        """The name of the captions file."""
        return self._name("captions", SUFFIXES[self.output_format])

    @property
    def errors_path(self):
        """The path of the file that lists images without a caption, and the reasons."""
        return posixpath.join(self.out, self._name("errors", "jsonl"))

    @property
    def is_records(self):
        """Whether the shard is a file of TFRecords."""
        return is_tfrecords(self.files[0])

    def _name(self, kind, suffix):
        return f"{kind}-{self.number:05d}-of-{self.count:05d}.{suffix}"


def is_tfrecords(path):
    """Returns whether a path or pattern names TFRecords.

    Example:

    >>> is_tfrecords("photos/train-00000.tfrecord.gz"), is_tfrecords("photos/*.jpg")
    (True, False)
    """
    return "tfrecord" in posixpath.basename(path)


def make_plan(images, out, model, images_per_shard, output_format):
    """Writes the plan to `out`, or uses the plan of an earlier run with the same settings.

    Args:
        images: string. A pattern of image files or TFRecords in a Beam file system.
        out: string. The output folder.
        model: string. Identifies the model, such as a hash of its manifest.
        images_per_shard: int. A file of TFRecords is always one shard.
        output_format: string, `"jsonl"` or `"tfrecords"`.

    Returns:
        A tuple `(path, shards)`: the path of the plan and the number of shards.

    Raises:
        ValueError: if no file matches, or `out` has a plan with other settings.

    Warns if the matching files have changed since the plan was written, and keeps the plan.
    """
    from apache_beam.io.filesystems import FileSystems

    path = FileSystems.join(out, PLAN)
    matches = match_files(images)
    if not matches:
        raise ValueError(f"No file matches `images`. Received: {images!r}")
    files, states = list(matches), list(matches.values())
    settings = {
        "images": images,
        "model": model,
        "images_per_shard": images_per_shard,
        "output_format": output_format,
    }
    matched = {"files": f"{len(files)} ({compute_digest([files, states])})"}
    if FileSystems.exists(path):
        planned = next(_read_plan(path))
        changes = list_changes(planned, settings)
        if changes:
            raise ValueError(
                f"`out` has captions with other settings: {'; '.join(changes)}. Received: "
                f"{out!r}. Choose another folder, or use the settings in {path!r}."
            )
        changes = list_changes(planned, matched)
        if changes:
            warnings.warn(
                f"The files that match `images` have changed since {path!r} was written: "
                f"{changes[0]}. Existing captions are kept and new files are ignored. Choose "
                "another `out` folder to caption the current files.",
                stacklevel=3,
            )
        return path, planned["shards"]
    size = 1 if is_tfrecords(images) else images_per_shard
    shards = [files[start : start + size] for start in range(0, len(files), size)]
    lines = [
        {**settings, **matched, "shards": len(shards)},
        *({"files": shard} for shard in shards),
    ]
    with open_atomic(path) as file:
        file.writelines(json.dumps(line).encode() + b"\n" for line in lines)
    return path, len(shards)


def read_shards(plan):
    """Yields all shards of a plan.

    Args:
        plan: string. The path of the plan.
    """
    from apache_beam.io.filesystems import FileSystems

    out, _ = FileSystems.split(plan)
    lines = _read_plan(plan)
    settings = next(lines)
    for number, line in enumerate(lines):
        yield Shard(
            number, settings["shards"], tuple(line["files"]), out, settings["output_format"]
        )


def read_pending_shards(plan):
    """Yields the shards of a plan that have no captions yet.

    Args:
        plan: string. The path of the plan.
    """
    from apache_beam.io.filesystems import FileSystems

    out, _ = FileSystems.split(plan)
    finished = list_names(out, "captions-")
    for shard in read_shards(plan):
        if shard.captions_name not in finished:
            yield shard


def _read_plan(path):
    from apache_beam.io.filesystems import FileSystems

    with FileSystems.open(path) as file:
        yield from map(json.loads, file)
