"""Reads dialogues from JSON lines, in the layouts of LLaVA and OpenAI."""

import os

from keras_mmfusion.datasets.dialogues.dialogue_checks import check_dialogue
from keras_mmfusion.datasets.dialogues.llava_layout import read_llava_messages
from keras_mmfusion.datasets.dialogues.openai_layout import read_openai_messages
from keras_mmfusion.datasets.io.annotations import warn_skipped
from keras_mmfusion.files.json_files import read_json_lines

MEDIA = ("image", "audio", "video")


def read_dialogues(path, folder=None, skip_missing_files=False):
    """Reads dialogues from a file with a JSON object on each line.

    Two layouts are supported, also mixed in one file. In LLaVA's, a placeholder in the text stands
    for each file:

        {"image": "a.jpg", "conversations": [{"from": "human", "value": "<image>\\nWhat is it?"},
                                             {"from": "gpt", "value": "A dog."}]}

    In OpenAI's, files are parts of a message:

        {"messages": [{"role": "user", "content": [
                          {"type": "image_url", "image_url": {"url": "a.jpg"}},
                          {"type": "text", "text": "What is it?"}]},
                      {"role": "assistant", "content": "A dog."}]}

    `"audio"` and `"video"` are used like `"image"`, which may also be a list of paths in LLaVA's
    layout. In OpenAI's, `{"type": "image", "image": "a.jpg"}` means the same.

    Args:
        path: string or path.
        folder: string or path. The folder to which the paths in the file are relative. Defaults to
            that of `path`.
        skip_missing_files: bool. Whether to drop dialogues with a missing file, with a warning,
            instead of raising an error.

    Returns:
        List of dialogues, each a list of messages as for `ChatTemplate.render`: dicts of `"role"`
        (`"system"`, `"user"`, or `"assistant"`) and `"content"`, a list of parts such as
        `{"type": "text", "text": "Hi"}` and `{"type": "image", "image": path}`.

    Raises:
        OSError: if the file does not exist.
        ValueError: if a line is invalid: an unknown role, an empty message, placeholders that do
            not match the files, a file that does not exist. The message contains the line.

    Example:

    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "dialogues.jsonl")
    >>> _ = path.write_text('{"conversations": [{"from": "human", "value": "Hi"}, '
    ...                     '{"from": "gpt", "value": "Hello!"}]}')
    >>> [message] = read_dialogues(path)[0][1:]
    >>> message
    {'role': 'assistant', 'content': [{'type': 'text', 'text': 'Hello!'}]}

    Reference:
        Liu et al., "Visual Instruction Tuning", 2023, https://github.com/haotian-liu/LLaVA;
        https://platform.openai.com/docs/api-reference/chat.
    """
    path = os.path.expanduser(os.fspath(path))
    folder = os.path.dirname(path) if folder is None else os.path.expanduser(folder)
    dialogues, skipped = [], []
    for line, record in read_json_lines(path):
        try:
            messages = _read_messages(record)
            check_dialogue(messages)
            missing = _resolve_paths(messages, folder)
            if missing and not skip_missing_files:
                raise ValueError(
                    f"the file {missing[0]!r} does not exist. Pass the `folder` of the files, or "
                    "`skip_missing_files=True` to drop such dialogues."
                )
        except ValueError as error:
            raise ValueError(f"{path!r}, line {line}: {error}") from None
        if missing:
            skipped.append(line)
        else:
            dialogues.append(messages)
    warn_skipped("dialogues with missing files, by line", skipped)
    if not dialogues:
        raise ValueError(f"{path!r} has no dialogues; it must have one on each line.")
    return dialogues


def _read_messages(record):
    if ("conversations" in record) == ("messages" in record):
        raise ValueError(
            "must have either 'conversations' (LLaVA's layout) or 'messages' (OpenAI's). Received "
            f"the keys {', '.join(map(repr, record))}."
        )
    if "messages" in record:
        return read_openai_messages(record, MEDIA)
    return read_llava_messages(record, MEDIA)


def _resolve_paths(messages, folder):
    """Makes paths relative to `folder`, and returns those of missing files."""
    missing = []
    for message in messages:
        for part in message["content"]:
            kind = part["type"]
            if kind == "text":
                continue
            part[kind] = os.path.join(folder, part[kind])
            if not os.path.isfile(part[kind]):
                missing.append(part[kind])
    return missing
