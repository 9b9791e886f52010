"""Packs photos, captions, weights and wheels for parts that run on a machine without network.

    python gpu/pack.py captioner_lite2 --data DATA

Writes `gpu/packed`, which Git ignores. Photos have the highest quality for which everything,
including a sparse checkout, fits into `--limit`; `gpu/README.md` describes the sparse checkout.
"""

import argparse
import concurrent.futures
import csv
import gzip
import io
import json
import pathlib
import shutil
import subprocess
import sys

import numpy as np
from PIL import Image

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(HERE))

from packed import ENCODERS_FOLDER, INDEX_FILE, PHOTOS_FILE, TEXT_FOLDER  # noqa: E402
from run import list_parts, load_part  # noqa: E402

from keras_mmfusion.datasets.captions.coco_annotations import read_coco_captions  # noqa: E402
from keras_mmfusion.datasets.captions.flickr8k_captions import read_flickr8k  # noqa: E402

SIZE = 224
QUALITIES = range(60, 19, -2)
MEBIBYTE = 2**20
TEXT_PRESET = "image_text_flickr8k"
# The folders of the sparse checkout; its weights are not copied.
CHECKOUT = ("keras_mmfusion", "gpu", "benchmarks")
PLATFORMS = [f"manylinux_2_{number}_x86_64" for number in (17, 24, 26, 27, 28, 31, 34)]
WHEELS = ("keras", "keras-hub", "namex", "optree")


def list_captioned_photos(data):
    """Lists all captioned photos of the data folder: dicts of path, captions, split and source."""
    splits = [
        ("flickr8k", "train", read_flickr8k(data / "flickr8k", "train")),
        ("flickr8k", "dev", read_flickr8k(data / "flickr8k", "dev")),
        ("coco", "train", read_coco_captions(data / "coco_captions", "train")),
        ("coco", "coco_dev", read_coco_captions(data / "coco_captions", "dev")),
    ]
    entries = [
        {"path": path, "captions": list(captions), "split": split, "source": source}
        for source, split, pairs in splits
        for path, captions in zip(pairs.images, pairs.captions, strict=True)
    ]
    extra = {}
    with (data / "flickr_extra" / "captions.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            extra.setdefault(row["image"], []).append(row["caption"].strip())
    folder = data / "flickr_extra" / "images"
    return entries + [
        {"path": folder / name, "captions": texts, "split": "train", "source": "flickr_extra"}
        for name, texts in extra.items()
    ]


def encode_photo(path, quality, size=SIZE):
    """Encodes a photo as WebP with `size` by `size` pixels."""
    with Image.open(path) as image:
        image = image.convert("RGB")
    if image.size != (size, size):
        image = image.resize((size, size), Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=quality, method=6)
    return buffer.getvalue()


def find_highest_quality(entries, max_bytes, sample=100):
    """Returns the highest quality for which all photos take at most `max_bytes`."""
    some = entries[:: max(1, len(entries) // sample)]
    for quality in QUALITIES:
        mean = np.mean([len(encode_photo(entry["path"], quality)) for entry in some])
        if 1.02 * mean * len(entries) <= max_bytes:
            return quality
    raise ValueError(
        f"At quality {QUALITIES[-1]}, the photos take more than the {max_bytes / MEBIBYTE:.1f} "
        "MiB that the limit leaves them. Pack for fewer parts, or raise `--limit`."
    )


def write_photos(folder, entries, quality, size=SIZE):
    """Writes photos and captions atomically."""
    with concurrent.futures.ThreadPoolExecutor() as pool:
        files = list(pool.map(lambda entry: encode_photo(entry["path"], quality, size), entries))
    rows = [
        {
            "split": entry["split"],
            "source": entry["source"],
            "bytes": len(file),
            "captions": entry["captions"],
        }
        for entry, file in zip(entries, files, strict=True)
    ]
    (folder / PHOTOS_FILE).write_bytes(b"".join(files))
    index = json.dumps({"quality": quality, "size": size, "photos": rows}, ensure_ascii=False)
    (folder / INDEX_FILE).write_bytes(gzip.compress(index.encode(), mtime=0))


def copy_encoder(folder, source):
    """Copies an image encoder preset, whose weights are float16."""
    target = folder / ENCODERS_FOLDER / source.name
    target.mkdir(parents=True)
    for name in ("config.json", "metadata.json", "model.weights.h5"):
        shutil.copy(source / name, target / name)


def write_text(folder, model, captions):
    """Writes the text encoder of a model, restricted to the word pieces of captions, and their ids.

    Matrices are stored as int8 with a scale per column, or per row for embeddings, since they are
    only the initial values of training.

    Args:
        folder: path.
        model: `ContrastiveModel` of images and texts, with its preprocessor.
        captions: list of lists of strings, at most five for each photo.
    """
    import keras

    from keras_mmfusion.encoders import TextEncoder

    target = folder / TEXT_FOLDER
    target.mkdir()
    ids, pad = encode_sentences(model.preprocessor, captions)
    kept = np.union1d(np.unique(ids), [pad])
    np.savez_compressed(
        target / "sentences.npz",
        ids=np.searchsorted(kept, ids).astype("uint16"),
        pad=np.searchsorted(kept, pad),
        kept=kept,
    )
    source = model.text_encoder
    length = ids.shape[-1]
    encoder = TextEncoder(
        **{
            **source.sizes,
            "vocabulary_size": len(kept),
            "max_sequence_length": length,
            "dropout": source.dropout,
        }
    )
    arrays = {}
    for number, (mine, whole) in enumerate(zip(encoder.weights, source.weights, strict=True)):
        values = keras.ops.convert_to_numpy(whole)
        if "token_embedding" in whole.path:
            values = values[kept]
        elif "position_embedding" in whole.path:
            values = values[:length]
        assert values.shape == tuple(mine.shape), whole.path
        axis = -1 if "embedding" in whole.path else 0
        arrays.update({f"{number}.{key}": x for key, x in compress(values, axis).items()})
    np.savez_compressed(target / "weights.npz", **arrays)
    config = json.dumps(keras.saving.serialize_keras_object(encoder))
    (target / "config.json").write_text(config, encoding="utf-8")


def compress(values, axis):
    """Converts matrices to int8 and scales, and other arrays to float16."""
    if values.ndim < 2:
        return {"values": values.astype("float16")}
    scale = np.maximum(np.abs(values).max(axis=axis, keepdims=True), 1e-8) / 127
    return {"values": np.round(values / scale).astype("int8"), "scale": scale.astype("float32")}


def encode_sentences(preprocessor, captions, count=5):
    """Returns ids `(2, photos, count, tokens)` of captions and mirrored captions, and the padding
    id.

    Photos with fewer captions repeat their first ones.
    """
    from keras_mmfusion.datasets.captions.caption_augmentation import swap_left_right

    filled = [[texts[i % len(texts)] for i in range(count)] for texts in captions]
    both = [filled, [[swap_left_right(text) for text in texts] for texts in filled]]
    flat = [text for version in both for texts in version for text in texts]
    ids = preprocessor({"text": flat})["text"]["token_ids"]
    return ids.reshape(2, len(captions), count, -1), preprocessor.tokenizer.pad_token_id


def download_wheels(folder, python_version):
    """Downloads the wheels of packages that the machine lacks, for its Python version."""
    from importlib.metadata import version

    target = folder / "wheels"
    target.mkdir()
    pins = [f"{name}=={version(name)}" for name in WHEELS]
    platforms = [word for name in PLATFORMS for word in ("--platform", name)]
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:"]
    command += ["--python-version", python_version, "--implementation", "cp", *platforms]
    subprocess.run([*command, "-d", str(target), *pins], check=True)


def measure_folder(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def measure_checkout():
    """Returns the size of the tracked files in `CHECKOUT`, without weights."""
    command = ["git", "ls-files", "-z", *CHECKOUT]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout.decode()
    paths = [ROOT / name for name in listed.split("\0") if name and not name.endswith(".h5")]
    return sum(path.stat().st_size for path in paths if path.is_file())


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("parts", nargs="+", choices=list_parts(), metavar="PART")
    parser.add_argument("--data", type=pathlib.Path, required=True, help="holds flickr8k/ ...")
    parser.add_argument("--out", type=pathlib.Path, default=HERE / "packed")
    parser.add_argument("--python-version", default="3.12", help="the machine's Python")
    parser.add_argument("--limit", type=float, default=60, help="MiB, the checkout included")
    parser.add_argument("--quality", type=int, help="of the photos, in place of the highest")
    arguments = parser.parse_args()
    needs = [getattr(load_part(name), "NEEDS", {}) for name in arguments.parts]
    scratch = arguments.out.with_name(f".{arguments.out.name}.new")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    download_wheels(scratch, arguments.python_version)
    for name in sorted({name for need in needs for name in need.get("encoders", ())}):
        copy_encoder(scratch, ROOT / "zoo" / name)
    photos = any(need.get("encoders") for need in needs)
    entries = list_captioned_photos(arguments.data) if photos else []
    if any(need.get("text") for need in needs):
        from keras_mmfusion.zoo import embedder

        model = embedder(str(ROOT / "zoo" / TEXT_PRESET))
        write_text(scratch, model, [entry["captions"] for entry in entries])
    if photos:
        captions = gzip.compress(json.dumps([entry["captions"] for entry in entries]).encode())
        left = arguments.limit * MEBIBYTE - measure_folder(scratch) - measure_checkout()
        quality = arguments.quality or find_highest_quality(entries, left - 1.2 * len(captions))
        write_photos(scratch, entries, quality)
        print(f"photos at quality {quality}")
    shutil.rmtree(arguments.out, ignore_errors=True)
    scratch.replace(arguments.out)
    report(arguments)


def report(arguments):
    """Prints the sizes, and fails if the total exceeds the limit."""
    sizes = {path.name: measure_folder(path) for path in arguments.out.iterdir() if path.is_dir()}
    sizes |= {path.name: path.stat().st_size for path in arguments.out.iterdir() if path.is_file()}
    sizes["checkout"] = measure_checkout()
    for name, size in sizes.items():
        print(f"{name:16} {size / MEBIBYTE:6.2f} MiB")
    total = sum(sizes.values()) / MEBIBYTE
    print(f"{'total':16} {total:6.2f} MiB of at most {arguments.limit:g}")
    if total > arguments.limit:
        raise SystemExit("The limit is exceeded: pack for fewer parts, or use a lower --quality.")


if __name__ == "__main__":
    main()
