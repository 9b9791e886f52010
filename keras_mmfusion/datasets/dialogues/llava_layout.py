"""Messages in the layout of LLaVA: placeholders in the texts stand for files."""

import re

_ROLES = {"human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant"}
_ROLES |= {"system": "system"}


def read_llava_messages(record, media):
    """Converts a record of LLaVA's layout to messages.

    Line breaks next to a placeholder, by which this layout separates it from the text, are removed.

    Args:
        record: dict of `"conversations"` and, for each kind of file, a path or list of paths.
        media: tuple of strings, the kinds of files.

    Returns:
        List of messages; see `read_dialogues`.

    Raises:
        ValueError: if the record is invalid.
    """
    paths = {kind: _list_paths(record, kind) for kind in media}
    turns = _list_turns(record)
    placeholder = re.compile("\n*<(" + "|".join(media) + ")>\n*")
    for kind in media:
        count = sum(text.count(f"<{kind}>") for _, text in turns)
        if count != len(paths[kind]):
            raise ValueError(
                f"the texts must have a placeholder '<{kind}>' for each {kind} file. Received "
                f"{count} placeholders and {len(paths[kind])} files."
            )
    remaining = {kind: iter(each) for kind, each in paths.items()}
    messages = []
    for role, text in turns:
        content = []
        # The odd parts are the kinds of the placeholders.
        for index, part in enumerate(placeholder.split(text)):
            if index % 2:
                content.append({"type": part, part: next(remaining[part])})
            elif part:
                content.append({"type": "text", "text": part})
        messages.append({"role": role, "content": content})
    return messages


def _list_paths(record, kind):
    value = record.get(kind)
    values = [] if value is None else value if isinstance(value, list) else [value]
    if not all(isinstance(each, str) and each for each in values):
        raise ValueError(f"{kind!r} must be a path or a list of paths. Received: {value!r:.80}")
    return values


def _list_turns(record):
    """Returns tuples of the role and the text of each message."""
    turns = record["conversations"]
    if not isinstance(turns, list):
        raise ValueError(f"'conversations' must be a list. Received: {turns!r:.80}")
    for turn in turns:
        if not isinstance(turn, dict) or not isinstance(turn.get("value"), str):
            raise ValueError(
                "each of the 'conversations' must have 'from' and 'value', a string. Received: "
                f"{turn!r:.80}"
            )
        if turn.get("from") not in _ROLES:
            raise ValueError(
                f"'from' must be one of {', '.join(map(repr, _ROLES))}. Received: "
                f"{turn.get('from')!r}"
            )
    return [(_ROLES[turn["from"]], turn["value"]) for turn in turns]
