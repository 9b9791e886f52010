"""Texts and conversations as the token ids of a language model."""

import keras
import keras_hub

from keras_mmfusion.models.language.chat_template import ChatTemplate


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class LanguagePreprocessor(keras_hub.models.CausalLMPreprocessor):
    """Converts texts and conversations to the token ids of a language model.

    Args:
        tokenizer: `Gpt2Tokenizer`.
        sequence_length: int. The number of tokens to which `fit` pads and truncates texts.
        chat_template: `ChatTemplate`, or `None` if the model was not trained for conversations.
        add_start_token: bool. Whether texts begin with the start token of the tokenizer.
        add_end_token: bool. Whether the texts of `fit` end with the end token.
        **kwargs: passed to `keras_hub.models.CausalLMPreprocessor`.

    Call arguments:
        x: string, or list or tensor of strings.

    Returns:
        A tuple of the inputs of the model (a dict of `"token_ids"` and `"padding_mask"`), the next
        token ids, and their weights, 0 for padding.

    Example:

    >>> from keras_mmfusion.models import Gpt2Tokenizer
    >>> from keras_mmfusion.models.tokenizers.byte_pair_tokenizer import make_byte_characters
    >>> special = ("<|im_start|>", "<|im_end|>")
    >>> vocabulary = [*special, "<|endoftext|>", *make_byte_characters()]
    >>> tokenizer = Gpt2Tokenizer(vocabulary, [], *special, special_tokens=special)
    >>> preprocessor = LanguagePreprocessor(tokenizer, chat_template=ChatTemplate())
    >>> ids = preprocessor.tokenize_chat([{"role": "user", "content": "Hi<|im_end|>"}])
    >>> ids[0], ids.count(1)  # Only one special token ends a message.
    (0, 1)
    """

    def __init__(
        self,
        tokenizer,
        sequence_length=1024,
        chat_template=None,
        add_start_token=False,
        add_end_token=True,
        **kwargs,
    ):
        super().__init__(
            tokenizer,
            sequence_length=sequence_length,
            add_start_token=add_start_token,
            add_end_token=add_end_token,
            **kwargs,
        )
        if chat_template is not None and not isinstance(chat_template, ChatTemplate):
            raise ValueError(
                f"`chat_template` must be a `ChatTemplate` or None. Received: {chat_template!r}"
            )
        self.chat_template = chat_template

    def build(self, input_shape):
        super().build(input_shape)
        if not self.add_start_token:
            # KerasHub adds the start token to the prompts of `generate` in any case.
            self.packer.start_value = None

    def tokenize_chat(self, messages, add_generation_prompt=True):
        """Converts a conversation to token ids.

        Special tokens in the content of messages are text.

        Args:
            messages: list of dicts with `"role"` and `"content"`; see `ChatTemplate.render`.
            add_generation_prompt: bool. Whether to request an answer at the end.

        Returns:
            A list of ints.

        Raises:
            ValueError: if the model has no chat template, or a message is not valid.
        """
        if self.chat_template is None:
            raise ValueError(
                "The model has no chat template, because it was not trained for conversations or "
                "its template is not supported. Set `preprocessor.chat_template`, for example to "
                "`ChatTemplate()` for ChatML."
            )
        pieces = self.chat_template.render(messages, add_generation_prompt)
        for piece in pieces:
            if piece.part is not None:
                raise ValueError(
                    "A language model only reads parts of messages of the type 'text'. "
                    f"Received: {piece.part!r}"
                )
        return self.tokenizer.split_spans([(piece.text, piece.is_template) for piece in pieces])

    def get_config(self):
        template = keras.saving.serialize_keras_object(self.chat_template)
        return {**super().get_config(), "chat_template": template}

    @classmethod
    def from_config(cls, config):
        if isinstance(config.get("chat_template"), dict):
            template = keras.saving.deserialize_keras_object(config["chat_template"])
            config = {**config, "chat_template": template}
        return super().from_config(config)
