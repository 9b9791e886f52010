"""Checks that a language model can be trained with a dialogue."""


def check_dialogue(messages):
    """Checks the order of the messages, and that none is empty.

    Args:
        messages: list of messages; see `read_dialogues`.

    Raises:
        ValueError: if the dialogue is invalid.
    """
    roles = [message["role"] for message in messages]
    if "system" in roles[1:]:
        raise ValueError("a system message must be the first one. Merge it with the first message.")
    spoken = roles[1:] if roles[:1] == ["system"] else roles
    if spoken[:1] != ["user"] or spoken[-1] != "assistant":
        raise ValueError(
            "a dialogue must begin with a message of the user, after a system message if there is "
            f"one, and end with an answer. Received the roles {', '.join(roles) or 'of no message'}"
            ". Remove the other messages."
        )
    for index, message in enumerate(messages):
        texts = [part["text"] for part in message["content"] if part["type"] == "text"]
        has_files = len(texts) < len(message["content"])
        if has_files and message["role"] != "user":
            raise ValueError(
                f"message {index} of the {message['role']} has a file; only messages of the user "
                "may have files."
            )
        if not has_files and not "".join(texts).strip():
            raise ValueError(
                f"message {index} of the {message['role']} is empty. Add a text, or remove the "
                "dialogue."
            )
