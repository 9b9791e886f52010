"""Small checkpoints of SmolVLM, their images and conversations."""

import json

import numpy as np
from checkpoints.checkpoint_files import pack_safetensors
from checkpoints.language_folders import MERGES, make_byte_characters
from checkpoints.stored_cases import read_case

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
ADDED = [
    "<fake_token_around_image>",
    "<global-img>",
    *(f"<row_{row}_col_{column}>" for row in (1, 2) for column in (1, 2)),
    "<image>",
    "<end_of_utterance>",
]
TOKENS = [
    *SPECIAL,
    *make_byte_characters(),
    *(merge.replace(" ", "") for merge in MERGES),
    *ADDED,
]
CHAT_TEMPLATE = (
    "<|im_start|>{% for message in messages %}{{message['role'] | capitalize}}"
    "{% if message['content'][0]['type'] == 'image' %}{{':'}}{% else %}{{': '}}{% endif %}"
    "{% for line in message['content'] %}{% if line['type'] == 'text' %}{{line['text']}}"
    "{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}"
    "<end_of_utterance>\n{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)
IMAGE_SIZE, PATCH_SIZE, SCALE_FACTOR = 12, 2, 3  # Four tokens for each tile.
LOGIT_STEP = 5  # Of the tokens whose logits are stored.
IMAGE_PROCESSOR = {
    "size": {"longest_edge": 2 * IMAGE_SIZE},
    "max_image_size": {"longest_edge": IMAGE_SIZE},
}


def make_images():
    """Two images, which become four tiles and two, each with the whole image."""
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, size, "uint8") for size in ((20, 25, 3), (7, 21, 3))]


def make_conversations():
    """Conversations with two images, with one, and without; the last question has no answer."""
    first, second = ({"type": "image", "image": image} for image in make_images())

    def user(*parts):
        parts = [{"type": "text", "text": p} if isinstance(p, str) else p for p in parts]
        return {"role": "user", "content": parts}

    answer = {"role": "assistant", "content": [{"type": "text", "text": "hi 12"}]}
    return [
        [user(first, "hi\n", second, " 1?"), answer, user("12")],
        [user("hi ", second)],
        [user("hi"), answer, user("1 hi")],
    ]


def write_smolvlm_folder(folder, case, template=CHAT_TEMPLATE, processor=None, **settings):
    """Writes the weights of a case with a tokenizer and an image processor as on the Hub."""
    config, weights, _ = read_case(case)
    folder.mkdir(parents=True, exist_ok=True)
    ids = {token: index for index, token in enumerate(TOKENS)}
    steps = [{"type": "Digits", "individual_digits": True}, {"type": "ByteLevel"}]
    names = {"bos_token": SPECIAL[1], "eos_token": ADDED[-1], "pad_token": SPECIAL[2]}
    kind = {"idefics3": "Idefics3", "smolvlm": "SmolVLM"}[case]
    contents = {
        "config.json": {**config, **settings},
        "tokenizer.json": {
            "model": {
                "type": "BPE",
                "vocab": {token: ids[token] for token in TOKENS if token not in ADDED},
                "merges": MERGES,
            },
            "added_tokens": [{"content": each, "id": ids[each]} for each in (*SPECIAL, *ADDED)],
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": steps},
        },
        "tokenizer_config.json": names,
        "chat_template.json": {"chat_template": template},
        "preprocessor_config.json": {
            "image_processor_type": f"{kind}ImageProcessor",
            **IMAGE_PROCESSOR,
            **(processor or {}),
        },
    }
    for name, content in contents.items():
        (folder / name).write_text(json.dumps(content), "utf-8")
    (folder / "model.safetensors").write_bytes(pack_safetensors(weights))
    return folder
