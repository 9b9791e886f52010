"""The table of converters, one module for each architecture.

A converter is a module of this package with:

```python
def build_model(config, assets):  # `config.json` as a dict, `CheckpointAssets` -> model
def list_weights(model, config):  # yields `SourceWeight`s of all variables of the model
IGNORED = ()   # optional: regular expressions of names that may be ignored
PREFIXES = ()  # optional: prefixes of names that may be absent, such as "vit."
RENAMES = ()   # optional: (regular expression, replacement) to the spelling of the Hub's files
TIED = {}      # optional: key that may be absent -> key with the same values
UNSTORED = ()  # optional: regular expressions of paths of variables that are not in the files
                  # and whose initial values are not random
```

To add an architecture, write the module and add its model type to `CONVERTERS`.
"""

import importlib

# Model type in config.json -> module of this package.
CONVERTERS = {
    "beit": "beit",
    "blip": "blip",
    "blip_vision_model": "blip_vision",
    "clip": "clip",
    "clip_text_model": "clip_text",
    "clip_vision_model": "clip_vision",
    # KerasHub's DeiT requires the prefix "deit." of names, which `DeiTModel` does not write.
    "deit": "deit",
    "git": "git",
    "git_vision_model": "git_vision",
    # KerasHub's GPT-2 requires vocab.json, and ignores settings.
    "gpt2": "gpt2_language_model",
    "idefics3": "smolvlm",
    # KerasHub's Llama has another epsilon, and another tokenizer.
    "llama": "llama",
    "siglip": "siglip",
    "siglip_text_model": "siglip_text",
    "siglip_vision_model": "siglip_vision",
    "smolvlm": "smolvlm",
    # KerasHub's Swin ignores the epsilon and the activation of the checkpoint, and pads otherwise.
    "swin": "swin",
    "vilt": "vilt",
    "vision-encoder-decoder": "vision_encoder_decoder",
    # KerasHub's ViT has another epsilon, and ignores the activation of the checkpoint.
    "vit": "vit",
}


def find_converter(model_type):
    """Imports the converter of a model type.

    Args:
        model_type: the entry of `config.json`.

    Returns:
        A module, see above.

    Raises:
        ValueError: if there is none; the message lists the supported model types.

    Example:

    >>> find_converter("bert2")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    ValueError: Model type 'bert2' is not supported. ...
    """
    if model_type not in CONVERTERS:
        supported = ", ".join(map(repr, sorted(CONVERTERS)))
        raise ValueError(
            f"Model type {model_type!r} is not supported. Supported model types: {supported}."
        )
    return importlib.import_module(f"{__package__}.{CONVERTERS[model_type]}")


def get_key_rules(converter):
    """Returns the optional entries of a converter as arguments of `match_keys`."""
    return {
        "ignored": getattr(converter, "IGNORED", ()),
        "prefixes": getattr(converter, "PREFIXES", ()),
        "renames": getattr(converter, "RENAMES", ()),
        "tied": getattr(converter, "TIED", {}),
    }
