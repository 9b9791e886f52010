"""The format in which Idefics3 and SmolVLM expect the messages of a conversation."""

import keras

from keras_mmfusion.models.language.chat_template import ChatPiece, ChatTemplate


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class SmolVLMChatTemplate(ChatTemplate):
    """Renders messages in the format of Idefics3 and SmolVLM.

    A conversation begins with `<|im_start|>`. Each message becomes its capitalized role and a
    colon, a space unless an image comes first, its content, and `<end_of_utterance>`. The space
    in front of an answer belongs to the answer, because it is part of the first token.

    Example:

    >>> pieces = SmolVLMChatTemplate().render([{"role": "user", "content": "Hi"}])
    >>> print("".join(piece.text for piece in pieces))
    <|im_start|>User: Hi<end_of_utterance>
    Assistant:
    """

    def __init__(self):
        super().__init__("{role}:", "<end_of_utterance>")

    def render(self, messages, add_generation_prompt=True):
        """Renders a conversation; see `ChatTemplate.render`."""
        start = ChatPiece("<|im_start|>", is_template=True)
        return [start, *super().render(messages, add_generation_prompt)]

    def _start_turn(self, role):
        return super()._start_turn(role.capitalize())

    def _render_turn(self, role, parts):
        if (parts[0].part or {}).get("type") != "image":
            parts = [ChatPiece(" ", is_template=True), *parts]
        return super()._render_turn(role, parts)

    def get_config(self):
        return {}
