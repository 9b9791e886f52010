"""The repositories that the pages load from the Hub, with tiny checkpoints of the same kinds."""

from checkpoints.checkpoint_folders import write_folder

CHECKPOINTS = {
    "HuggingFaceTB/SmolLM2-135M-Instruct": "smollm2",
    "HuggingFaceTB/SmolVLM-256M-Instruct": "smolvlm",
    "Salesforce/blip-image-captioning-base": "blip",
    "Salesforce/blip-itm-base-coco": "blip_matcher",
    "Salesforce/blip-vqa-base": "blip_vqa",
    "google/siglip-base-patch16-224": "siglip",
    "openai/clip-vit-base-patch32": "clip",
}


def make_repositories(folder, preset):
    """Writes the checkpoints, and returns the files of all repositories.

    Args:
        folder: path, to which the checkpoints are written.
        preset: path of the preset of this package that is named `user/preset`.

    Returns:
        Dict, `{"owner/name": {path: bytes}}`.
    """
    folders = {name: write_folder(folder / kind, kind) for name, kind in CHECKPOINTS.items()}
    folders["user/preset"] = preset
    repositories = {name: _read_files(folder) for name, folder in folders.items()}
    # Texts of the pages need a known word: to train on captions, to search, and to ask.
    for files in repositories.values():
        if "vocab.txt" in files:
            files["vocab.txt"] = files["vocab.txt"].replace(
                b"w7\nw8\nw9\n", b"woman\nwater\nastronaut\n"
            )
    return repositories


def _read_files(folder):
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
