"""Chat templates of checkpoints, which are written in Jinja."""

import re

from keras_mmfusion.models.language.chat_template import ChatTemplate

# Templates with equal results that are left out or unified before comparison.
_DEFAULTS = (
    "{%if not add_generation_prompt is defined%}{%set add_generation_prompt=false%}{%endif%}"
)
_CHATML = (
    "{%for message in messages%}SYSTEM"
    "{{'<|im_start|>'+message['role']+'\n'+message['content']+'<|im_end|>'+'\n'}}{%endfor%}"
    "{%if add_generation_prompt%}{{'<|im_start|>assistant\n'}}{%endif%}"
)
_SYSTEM = (
    "{%if loop.first and messages[0]['role'] != 'system'%}"
    "{{'<|im_start|>system\nPROMPT<|im_end|>\n'}}{%endif%}"
)


def read_chat_template(assets):
    """Reads the chat template of a checkpoint, if it is a supported one.

    Templates are programs in Jinja. They are not run: ChatML is recognized by its text, with or
    without a default system message.

    Args:
        assets: `CheckpointAssets`.

    Returns:
        A `ChatTemplate`, or `None`.
    """
    source = assets.tokenizer_config.get("chat_template")
    if path := assets.get_path("chat_template.jinja"):
        source = path.read_text("utf-8")
    if isinstance(source, list):
        named = {entry.get("name"): entry.get("template") for entry in source}
        source = named.get("default")
    return _parse(source) if isinstance(source, str) else None


def _parse(source):
    text = _unify_spaces(source).replace(_DEFAULTS, "")
    before, after = map(re.escape, _SYSTEM.split("PROMPT"))
    system = f"({before}(?P<system>[^'{{}}]*?){after})?"
    match = re.fullmatch(re.escape(_CHATML).replace("SYSTEM", system), text)
    return ChatTemplate(default_system=match["system"]) if match else None


def _unify_spaces(source):
    """Removes spaces that have no meaning, and replaces the escape sequence of line breaks."""
    text = source.replace("\\n", "\n").strip("\n")
    text = re.sub(r"\s*([%}]})", r"\1", re.sub(r"(\{[%{])\s*", r"\1", text))
    return re.sub(r"(?<=['\]a-z]) ?([+=]) ?(?=['a-z])", r"\1", text)
