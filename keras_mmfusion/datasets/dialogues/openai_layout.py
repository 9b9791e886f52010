"""Messages in the layout of OpenAI: files are parts of the content."""

_ROLES = ("system", "user", "assistant")
_KEYS = {"role", "content", "name"}


def read_openai_messages(record, media):
    """Converts a record of OpenAI's layout to messages.

    Args:
        record: dict of `"messages"`.
        media: tuple of strings, the kinds of files.

    Returns:
        List of messages; see `read_dialogues`.

    Raises:
        ValueError: if the record is invalid.
    """
    messages = record["messages"]
    if not isinstance(messages, list):
        raise ValueError(f"'messages' must be a list. Received: {messages!r:.80}")
    return [_read_message(message, media) for message in messages]


def _read_message(message, media):
    if not isinstance(message, dict) or message.get("role") not in _ROLES:
        role = message.get("role") if isinstance(message, dict) else message
        raise ValueError(
            f"the 'role' of a message must be one of {', '.join(map(repr, _ROLES))}. Received: "
            f"{role!r:.80}"
        )
    unknown = sorted(message.keys() - _KEYS)
    if unknown:
        raise ValueError(
            f"messages with {', '.join(map(repr, unknown))} are not supported; they have only "
            "'role' and 'content'. Remove the dialogue, or the key if it has no meaning."
        )
    content = message.get("content")
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    if not isinstance(content, list):
        raise ValueError(
            f"the 'content' of a message must be a string or a list of parts. Received: {content!r}"
        )
    parts = [_read_part(part, media) for part in content]
    return {"role": message["role"], "content": parts}


def _read_part(part, media):
    kind = part.get("type") if isinstance(part, dict) else None
    if kind == "text" and isinstance(part.get("text"), str):
        return {"type": "text", "text": part["text"]}
    name = kind.removesuffix("_url") if isinstance(kind, str) else None
    if name not in media:
        expected = ["text", *media, *(f"{each}_url" for each in media)]
        raise ValueError(
            "a part of a message must be a dict with one of the types "
            f"{', '.join(map(repr, expected))}. Received: {part!r:.80}"
        )
    value = part.get(kind)
    if name != kind and isinstance(value, dict):
        value = value.get("url")
    if not isinstance(value, str) or not value:
        raise ValueError(f"a part of the type {kind!r} must have a path. Received: {part!r:.80}")
    value = value.removeprefix("file://")
    if value.startswith(("http://", "https://", "data:")):
        raise ValueError(
            f"a part of the type {kind!r} must have the path of a file. Received: {value[:80]!r}. "
            "Save the content as a file."
        )
    return {"type": name, name: value}
