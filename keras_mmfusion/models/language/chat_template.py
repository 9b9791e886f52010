"""The format in which a language model expects the messages of a conversation."""

import dataclasses

import keras

ROLES = ("system", "user", "assistant")
TEXT = "text"


@dataclasses.dataclass(frozen=True)
class ChatPiece:
    """A part of a rendered conversation.

    Args:
        text: string.
        is_template: bool. Whether the text belongs to the template, in which special tokens have
            their meaning; in the content of a message they are text.
        part: dict of a message part that is not text, such as `{"type": "image", ...}`, or `None`.
            Its text is empty.
        is_answer: bool. Whether the assistant writes the text, so that training predicts it.
    """

    text: str
    is_template: bool
    part: dict | None = None
    is_answer: bool = False


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class ChatTemplate:
    """Renders messages in the format of ChatML, or in a similar one.

    Each message becomes `turn_start`, in which `{role}` is replaced by its role, then its content
    and `turn_end`. An answer is requested by the `turn_start` of the assistant.

    Args:
        turn_start: string.
        turn_end: string. The special token that ends a message.
        separator: string. Follows `turn_end`; the assistant does not write it.
        default_system: string or `None`. The content of a system message that is added to a
            conversation without one.

    Example:

    >>> template = ChatTemplate(default_system="You are helpful.")
    >>> pieces = template.render([{"role": "user", "content": "Hi"}])
    >>> print("".join(piece.text for piece in pieces))
    <|im_start|>system
    You are helpful.<|im_end|>
    <|im_start|>user
    Hi<|im_end|>
    <|im_start|>assistant
    <BLANKLINE>
    """

    def __init__(
        self,
        turn_start="<|im_start|>{role}\n",
        turn_end="<|im_end|>",
        separator="\n",
        default_system=None,
    ):
        self.turn_start = turn_start
        self.turn_end = turn_end
        self.separator = separator
        self.default_system = default_system

    def render(self, messages, add_generation_prompt=True):
        """Renders a conversation.

        Args:
            messages: list of dicts with `"role"`, `"system"`, `"user"` or `"assistant"`, and
                `"content"`, a string or a list of parts. A part is a dict with a `"type"`; that of
                a text is `{"type": "text", "text": ...}`.
            add_generation_prompt: bool. Whether to request an answer at the end.

        Returns:
            A list of `ChatPiece`s.

        Raises:
            ValueError: if there is no message, or one has an unknown role or no content.
        """
        if not isinstance(messages, (list, tuple)) or not messages:
            raise ValueError(
                "`messages` must be a list of at least one message, such as "
                f"{{'role': 'user', 'content': 'Hi'}}. Received: messages={messages!r}"
            )
        turns = [(_check_role(message), _list_parts(message)) for message in messages]
        if self.default_system is not None and turns[0][0] != "system":
            turns.insert(0, ("system", [ChatPiece(self.default_system, is_template=True)]))
        pieces = [piece for role, parts in turns for piece in self._render_turn(role, parts)]
        if add_generation_prompt:
            pieces.append(self._start_turn("assistant"))
        return pieces

    def _start_turn(self, role):
        return ChatPiece(self.turn_start.format(role=role), is_template=True)

    def _render_turn(self, role, parts):
        is_answer = role == "assistant"
        parts = [dataclasses.replace(part, is_answer=is_answer) for part in parts]
        return [
            self._start_turn(role),
            *parts,
            ChatPiece(self.turn_end, is_template=True, is_answer=is_answer),
            ChatPiece(self.separator, is_template=True),
        ]

    def get_config(self):
        return {
            "turn_start": self.turn_start,
            "turn_end": self.turn_end,
            "separator": self.separator,
            "default_system": self.default_system,
        }

    @classmethod
    def from_config(cls, config):
        return cls(**config)


def _check_role(message):
    role = message.get("role") if isinstance(message, dict) else None
    if role not in ROLES:
        raise ValueError(
            f"The `role` of a message must be one of {', '.join(map(repr, ROLES))}. "
            f"Received: {message!r}"
        )
    return role


def _list_parts(message):
    """Returns the content of a message as `ChatPiece`s."""
    content = message.get("content")
    if isinstance(content, str):
        content = [{"type": TEXT, "text": content}]
    if not isinstance(content, (list, tuple)) or not content:
        raise ValueError(
            "The `content` of a message must be a string, or a list of parts such as "
            f"{{'type': 'text', 'text': 'Hi'}}. Received: {message!r}"
        )
    return [_make_piece(part, message) for part in content]


def _make_piece(part, message):
    kind = part.get("type") if isinstance(part, dict) else None
    if not isinstance(kind, str) or (kind == TEXT and not isinstance(part.get("text"), str)):
        raise ValueError(
            "A part of a message must be {'type': 'text', 'text': ...} with a string, or a dict "
            f"with another `type`. Received: {part!r} in {message!r}"
        )
    if kind == TEXT:
        return ChatPiece(part["text"], is_template=False)
    return ChatPiece("", is_template=False, part=part)
