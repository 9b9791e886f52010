"""Downloads the files of a preset or checkpoint from the Hugging Face Hub, and no others."""

import pathlib
import re

from keras_mmfusion.files.json_files import read_json

_HANDLE = re.compile(r"(?P<repository>[\w.-]+/[\w.-]+)(@(?P<revision>\w[\w./-]*))?")
# The files of presets of this package and of KerasHub, and those of transformers except weights.
_FILES = (
    *("config.json", "task.json", "preprocessor.json", "metadata.json", "*_converter.json"),
    *("*.weights.h5", "*.weights.json", "assets/*"),
    *("generation_config.json", "preprocessor_config.json", "processor_config.json"),
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
    "chat_template.jinja",
    "chat_template.json",
    *("vocab.json", "vocab.txt", "merges.txt", "*.model", "README.md", "LICENSE*"),
    *("model.safetensors.index.json", "pytorch_model.bin.index.json"),
)
# Weights of transformers, the preferred format first.
_WEIGHTS = (
    ("model.safetensors", "model-*.safetensors"),
    ("pytorch_model.bin", "pytorch_model-*.bin"),
)


class HubError(OSError):
    """Files could not be downloaded from the Hub; the message names the reason."""


def fetch_from_hub(handle):
    """Downloads a preset or checkpoint from the Hugging Face Hub, or finds it in the cache.

    `huggingface_hub` downloads and caches the files, and uses its settings, such as `HF_TOKEN`,
    `HF_HUB_OFFLINE`, and `HF_ENDPOINT`. A broken connection is resumed, and files that are complete
    are not downloaded again.

    Args:
        handle: string, `"owner/name"` or `"owner/name@revision"`; the revision is a branch, a tag,
            or a commit.

    Returns:
        The path of the folder. Its name is the commit.

    Raises:
        HubError: if there is no such repository or revision, access is denied, or the download
            fails.
        ValueError: if the handle is not valid.

    Example:

    >>> fetch_from_hub("blip")
    Traceback (most recent call last):
    ...
    ValueError: A Hub handle must be hf://owner/name or hf://owner/name@revision. Received: 'blip'
    """
    match = _HANDLE.fullmatch(handle)
    if not match or ".." in handle:
        raise ValueError(
            "A Hub handle must be hf://owner/name or hf://owner/name@revision. "
            f"Received: {handle!r}"
        )
    repository = match["repository"]
    folder = _download(repository, match["revision"], _FILES)
    if is_transformers_checkpoint(folder):
        for patterns in _WEIGHTS:
            _download(repository, folder.name, patterns)
            if any(next(folder.glob(pattern), None) for pattern in patterns):
                break
    return folder


def is_transformers_checkpoint(folder):
    """Returns whether a folder has a checkpoint of transformers, and not a Keras preset.

    Args:
        folder: string or path.
    """
    folder = pathlib.Path(folder)
    if (folder / "task.json").is_file() or not (folder / "config.json").is_file():
        return False
    config = read_json(folder / "config.json")
    return isinstance(config, dict) and ("model_type" in config or "architectures" in config)


def _download(repository, revision, patterns):
    import httpx2
    import huggingface_hub
    from huggingface_hub import errors

    name = f"hf://{repository}" + (f"@{revision}" if revision else "")
    try:
        return pathlib.Path(
            huggingface_hub.snapshot_download(
                repository, revision=revision, allow_patterns=list(patterns)
            )
        )
    except errors.GatedRepoError:
        raise HubError(
            f"Access to {name} is restricted: accept its conditions on its page of the Hub, then "
            "log in with `hf auth login` or set HF_TOKEN."
        ) from None
    except errors.RevisionNotFoundError:
        raise HubError(f"{name}: the repository has no revision {revision!r}.") from None
    except errors.RepositoryNotFoundError:
        raise HubError(
            f"{name} does not exist, or it is private: log in with `hf auth login` or set HF_TOKEN."
        ) from None
    except (errors.LocalEntryNotFoundError, errors.IncompleteSnapshotError) as error:
        raise HubError(
            f"{name} is not in the cache, or not completely, and the Hub cannot be reached: "
            f"{_join_lines(error)}"
        ) from None
    except (errors.HfHubHTTPError, httpx2.HTTPError) as error:
        raise HubError(f"{name} could not be downloaded: {_join_lines(error)}") from None
    except errors.HFValidationError as error:
        raise ValueError(f"{name} is not a valid handle: {error}") from None


def _join_lines(error):
    return " ".join(str(error).split())
