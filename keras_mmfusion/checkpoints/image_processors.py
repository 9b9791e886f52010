"""Image converters from `preprocessor_config.json` or `processor_config.json`."""

import re

from keras_mmfusion.encoders.aspect_ratio_image_converter import AspectRatioImageConverter
from keras_mmfusion.encoders.pillow_image_converter import PillowImageConverter
from keras_mmfusion.encoders.tiled_image_converter import TiledImageConverter

_CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
_CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
_HALF = (0.5, 0.5, 0.5)
_LANCZOS, _BILINEAR, _BICUBIC = 1, 2, 3
# Pillow's numbers of interpolations.
_INTERPOLATIONS = {_LANCZOS: "lanczos", _BILINEAR: "bilinear", _BICUBIC: "bicubic"}
_TILED = {
    "size": {"longest_edge": 4 * 364},
    "max_image_size": {"longest_edge": 364},
    "resample": _LANCZOS,
    "image_mean": _HALF,
    "image_std": _HALF,
}
# What the classes of image processors assume if the file does not contain it. Older files contain
# a single number as the size, of the shortest edge or of both edges.
_DEFAULTS = {
    "Beit": {
        "size": {"height": 224, "width": 224},
        "crop_size": 224,
        "resample": _BICUBIC,
        "image_mean": _HALF,
        "image_std": _HALF,
    },
    "Blip": {
        "size": {"height": 384, "width": 384},
        "resample": _BICUBIC,
        "image_mean": _CLIP_MEAN,
        "image_std": _CLIP_STD,
    },
    "CLIP": {
        "size": {"shortest_edge": 224},
        "crop_size": 224,
        "do_center_crop": True,
        "resample": _BICUBIC,
        "image_mean": _CLIP_MEAN,
        "image_std": _CLIP_STD,
    },
    "DeiT": {
        "size": {"height": 256, "width": 256},
        "crop_size": 224,
        "do_center_crop": True,
        "resample": _BICUBIC,
        "image_mean": _HALF,
        "image_std": _HALF,
    },
    "Idefics3": _TILED,
    "Siglip": {
        "size": {"height": 224, "width": 224},
        "resample": _BICUBIC,
        "image_mean": _HALF,
        "image_std": _HALF,
    },
    "SmolVLM": _TILED,
    "Vilt": {
        "size": {"shortest_edge": 384},
        "size_divisor": 32,
        "resample": _BICUBIC,
        "image_mean": _HALF,
        "image_std": _HALF,
    },
    "ViT": {
        "size": {"height": 224, "width": 224},
        "resample": _BILINEAR,
        "image_mean": _HALF,
        "image_std": _HALF,
    },
}


def read_image_converter(assets):
    """Builds the image converter of a folder; see `build_image_converter`.

    Args:
        assets: `CheckpointAssets`.

    Raises:
        ValueError: if there is no such file, or its settings are not supported.
    """
    assets.require_path("preprocessor_config.json", "processor_config.json")
    return build_image_converter(assets.image_processor)


def build_image_converter(config):
    """Builds the image converter of a checkpoint.

    Args:
        config: dict. The content of `preprocessor_config.json` or `processor_config.json`, with an
            image processor of BLIP, CLIP (also used by GIT), SigLIP, SmolVLM, ViLT or ViT.

    Returns:
        A `PillowImageConverter`, for ViLT an `AspectRatioImageConverter`, or for SmolVLM a
        `TiledImageConverter`, whose outputs equal those of the image processor.

    Raises:
        ValueError: if the class of the image processor or one of its settings is not supported.

    Example:

    >>> converter = build_image_converter({"image_processor_type": "CLIPImageProcessor"})
    >>> converter.image_size, converter.shortest_edge, converter.interpolation
    ((224, 224), 224, 'bicubic')
    """
    config = config.get("image_processor", config)
    kind = _find_kind(config)
    config = {
        **_DEFAULTS[kind],
        **{key: value for key, value in config.items() if value is not None},
    }
    if not config.get("do_resize", True):
        raise ValueError("Image processors with `do_resize=false` are not supported.")
    if config["resample"] not in _INTERPOLATIONS:
        raise ValueError(
            f"`resample` must be one of {_INTERPOLATIONS}. Received: {config['resample']}"
        )
    scale, offset = _read_scale(config)
    settings = {
        "scale": scale,
        "offset": offset,
        "interpolation": _INTERPOLATIONS[config["resample"]],
        "drop_alpha": True,
        "dtype": "float32",
    }
    if kind == "Vilt":
        shortest_edge = _read_edge(config["size"], "shortest_edge")
        return AspectRatioImageConverter(shortest_edge, multiple=config["size_divisor"], **settings)
    if _DEFAULTS[kind] is _TILED:
        return TiledImageConverter(
            _read_edge(config["max_image_size"], "longest_edge"),
            _read_edge(config["size"], "longest_edge"),
            config.get("do_image_splitting", True),
            **settings,
        )
    image_size, sizes = _read_sizes(config, kind)
    return PillowImageConverter(image_size, **sizes, **settings)


def _find_kind(config):
    name = config.get("image_processor_type") or config.get("feature_extractor_type") or ""
    kind = re.sub(r"(ImageProcessor(Fast|Pil)?|FeatureExtractor)$", "", name)
    if kind not in _DEFAULTS:
        raise ValueError(
            f"The image processor {name!r} is not supported. Supported are those of "
            f"{', '.join(_DEFAULTS)}."
        )
    return kind


def _read_sizes(config, kind):
    """Returns the size of the outputs, and the size before the crop as keyword arguments."""
    size = config["size"]
    if isinstance(size, int):
        size = {"shortest_edge": size} if kind == "CLIP" else {"height": size, "width": size}
    crop = None
    if config.get("do_center_crop", False):
        crop = config["crop_size"]
        crop = (crop, crop) if isinstance(crop, int) else (crop["height"], crop["width"])
    if set(size) == {"height", "width"}:
        resized = size["height"], size["width"]
        return crop or resized, {"resized_size": resized}
    if set(size) == {"shortest_edge"} and crop is not None:
        return crop, {"shortest_edge": size["shortest_edge"]}
    raise ValueError(f"The image size {size} with the crop {crop} is not supported.")


def _read_edge(size, name):
    size = {name: size} if isinstance(size, int) else size
    if set(size) != {name}:
        raise ValueError(f"The image size {size} is not supported.")
    return size[name]


def _read_scale(config):
    """Returns the factors and summands that rescale and normalize, for each channel."""
    factor = config.get("rescale_factor", 1 / 255) if config.get("do_rescale", True) else 1.0
    if not config.get("do_normalize", True):
        return factor, None
    mean, std = config["image_mean"], config["image_std"]
    scale = tuple(factor / s for s in std)
    return scale, tuple(-m / s for m, s in zip(mean, std, strict=True))
