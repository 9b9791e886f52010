"""Chat templates of checkpoints, which are written in Jinja."""

import re

from keras_mmfusion.models.language.chat_template import ChatTemplate
from keras_mmfusion.models.language.smolvlm_template import SmolVLMChatTemplate

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
# Idefics3 and SmolVLM, whose later versions also have videos.
_SMOLVLM = (
    "<|im_start|>{%for message in messages%}{{message['role'] | capitalize}}"
    "{%if message['content'][0]['type'] == 'image'%}{{':'}}{%else%}{{': '}}{%endif%}"
    "{%for line in message['content']%}{%if line['type'] == 'text'%}{{line['text']}}"
    "{%elif line['type'] == 'image'%}{{'<image>'}}VIDEO{%endif%}{%endfor%}"
    "<end_of_utterance>\n{%endfor%}{%if add_generation_prompt%}{{'Assistant:'}}{%endif%}"
)
_VIDEO = "{%elif line['type'] == 'video'%}{{'<video>'}}"


def read_chat_template(assets):
    """Reads the chat template of a checkpoint, if it is a supported one.

    Templates are programs in Jinja. They are not run: ChatML, with or without a default system
    message, and the template of SmolVLM are recognized by their text.

    Args:
        assets: `CheckpointAssets`.

    Returns:
        A `ChatTemplate`, or `None`.
    """
    source = assets.tokenizer_config.get("chat_template")
    source = assets.read_json("chat_template.json").get("chat_template", source)
    if path := assets.get_path("chat_template.jinja"):
        source = path.read_text("utf-8")
    if isinstance(source, list):
        named = {entry.get("name"): entry.get("template") for entry in source}
        source = named.get("default")
    return _parse(source) if isinstance(source, str) else None


def _parse(source):
    text = _unify_spaces(source).replace(_DEFAULTS, "")
    if text in (_SMOLVLM.replace("VIDEO", ""), _SMOLVLM.replace("VIDEO", _VIDEO)):
        return SmolVLMChatTemplate()
    before, after = map(re.escape, _SYSTEM.split("PROMPT"))
    system = f"({before}(?P<system>[^'{{}}]*?){after})?"
    match = re.fullmatch(re.escape(_CHATML).replace("SYSTEM", system), text)
    return ChatTemplate(default_system=match["system"]) if match else None


def _unify_spaces(source):
    """Removes spaces that have no meaning, and replaces the escape sequence of line breaks."""
    text = source.replace("\\n", "\n").strip("\n")
    text = re.sub(r"\s*([%}]})", r"\1", re.sub(r"(\{[%{])\s*", r"\1", text))
    return re.sub(r"(?<=['\]a-z]) ?([+=]) ?(?=['a-z])", r"\1", text)
