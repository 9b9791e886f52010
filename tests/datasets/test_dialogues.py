"""Dialogues in the layouts of LLaVA and OpenAI."""

import json

import pytest

from keras_mmfusion.datasets import read_dialogues


def text(value):
    return {"type": "text", "text": value}


def image(path):
    return {"type": "image", "image": str(path)}


@pytest.fixture
def write(tmp_path):
    """Writes records as JSON lines beside three files, and returns the path."""
    for name in ("a.jpg", "b.jpg", "c.wav"):
        (tmp_path / name).write_bytes(b"")

    def write(*records):
        path = tmp_path / "dialogues.jsonl"
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
        return path

    return write


def llava(question="Hi", answer="Hello", **files):
    turns = [{"from": "human", "value": question}, {"from": "gpt", "value": answer}]
    return {"id": 1, "conversations": turns, **files}


def openai(*content, answer="Hello", **keys):
    turns = [{"role": "user", "content": list(content)}, {"role": "assistant", "content": answer}]
    return {"messages": [{**turns[0], **keys}, turns[1]]}


def test_both_layouts_give_the_same_messages(write, tmp_path):
    parts = [text("Compare "), image("a.jpg"), image("b.jpg"), text("and describe.")]
    url = {"type": "image_url", "image_url": {"url": "a.jpg"}}
    path = write(
        llava("Compare <image>\n<image>\nand describe.", image=["a.jpg", "b.jpg"]),
        openai(*parts),
        openai(parts[0], url, *parts[2:]),
    )
    expected = [
        {
            "role": "user",
            "content": [
                text("Compare "),
                image(tmp_path / "a.jpg"),
                image(tmp_path / "b.jpg"),
                text("and describe."),
            ],
        },
        {"role": "assistant", "content": [text("Hello")]},
    ]
    assert read_dialogues(path) == [expected] * 3


def test_system_messages_several_turns_and_audio(write, tmp_path):
    record = llava("<audio>", audio="c.wav")
    record["conversations"].insert(0, {"from": "system", "value": "Be brief."})
    record["conversations"] += llava("And now?", "Bye")["conversations"]
    [messages] = read_dialogues(write(record))
    assert [m["role"] for m in messages] == ["system", "user", "assistant", "user", "assistant"]
    assert messages[1]["content"] == [{"type": "audio", "audio": str(tmp_path / "c.wav")}]


def test_files_are_relative_to_the_folder(write, tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "d.jpg").write_bytes(b"")
    [messages] = read_dialogues(write(llava("<image>", image="d.jpg")), tmp_path / "images")
    assert messages[0]["content"] == [image(tmp_path / "images" / "d.jpg")]


def test_dialogues_with_missing_files_may_be_skipped(write):
    path = write(llava(), llava("<image>", image="missing.jpg"))
    with pytest.warns(UserWarning, match="Skipped 1 dialogues with missing files, by line: 2"):
        assert len(read_dialogues(path, skip_missing_files=True)) == 1
    with pytest.raises(ValueError, match="line 2: the file .*missing.jpg' does not exist. Pass"):
        read_dialogues(path)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({}, "either 'conversations'"),
        ({**llava(), "messages": []}, "either 'conversations'"),
        ({"conversations": {}}, "'conversations' must be a list"),
        ({"conversations": [{"from": "human"}]}, "must have 'from' and 'value'"),
        ({"conversations": [{"from": "bot", "value": "a"}]}, "'from' must be one of .* 'bot'"),
        (llava("<image>"), "placeholder '<image>' for each image .* 1 placeholders and 0 files"),
        (llava(image="a.jpg"), "0 placeholders and 1 files"),
        (llava("<video>", video=3), "'video' must be a path"),
        (llava(""), "message 0 of the user is empty"),
        (llava("<image>", " \n", image="a.jpg"), "message 1 of the assistant is empty"),
        (llava(answer="<image>", image="a.jpg"), "message 1 of the assistant has a file"),
        ({"messages": "a"}, "'messages' must be a list"),
        ({"messages": []}, "must begin with a message of the user.*of no message"),
        ({"messages": [{"role": "tool"}]}, "'role' of a message .* Received: 'tool'"),
        ({"messages": ["a"]}, "'role' of a message .* Received: 'a'"),
        ({"messages": [{"role": "user"}]}, "'content' of a message must be .* Received: None"),
        ({"messages": [{"role": "user", "content": "a"}]}, "end with an answer.*roles user"),
        (openai(text("a"), weight=0), "messages with 'weight' are not supported"),
        (openai({"type": "table"}), "one of the types 'text', 'image'"),
        (openai({"type": "image"}), "must have a path"),
        (openai({"type": "image_url", "image_url": {"url": "https://a"}}), "Save the content"),
        (openai({"type": "text"}), "one of the types"),
    ],
)
def test_invalid_dialogues_raise_an_error_with_the_line(write, record, message):
    with pytest.raises(ValueError, match=f"line 2: .*{message}"):
        read_dialogues(write(llava(), record))


def test_system_messages_come_first(write):
    record = llava()
    record["conversations"].insert(1, {"from": "system", "value": "Be brief."})
    with pytest.raises(ValueError, match="line 1: a system message must be the first one"):
        read_dialogues(write(record))


def test_files_without_dialogues_raise(write):
    with pytest.raises(ValueError, match="has no dialogues"):
        read_dialogues(write())
