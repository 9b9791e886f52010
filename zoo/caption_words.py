"""The words of captions as answers: what captions teach a question answerer about images.

Each image gets the same question. Its answers are those that several captions of the image contain,
so that the model learns from them which answers suit an image.
"""

import collections
import re
from pathlib import Path

from keras_mmfusion.datasets import QuestionAnswers, read_coco_captions, read_flickr8k

QUESTION = "which words describe the image"
FLICKR_STEP = 6  # Every sixth image of Flickr8k is used, about as many as of COCO.
LEAST_CAPTIONS = 2
LONGEST_ANSWER = 3  # Words.
# Answers that captions contain for other reasons than that they suit the image.
EXCLUDED = {"a", "at", "down", "from", "in", "left", "no", "on", "out", "right", "the", "up", "yes"}


def read_caption_words(data_dir, answers):
    """Reads the captions of COCO and Flickr8k as answers to one question.

    Args:
        data_dir: path of the folder of `coco_captions/` and `flickr8k/`, with the splits `train`.
        answers: list of strings, the answers that a question answerer knows.

    Returns:
        `QuestionAnswers` of the images with such answers.
    """
    coco = read_coco_captions(str(Path(data_dir) / "coco_captions"), "train")
    flickr = read_flickr8k(str(Path(data_dir) / "flickr8k"), "train")
    images = [*coco.images, *flickr.images[::FLICKR_STEP]]
    captions = [*coco.captions, *flickr.captions[::FLICKR_STEP]]
    known = {answer for answer in answers if not answer.isdigit()} - EXCLUDED
    words = []
    for each in captions:
        counts = collections.Counter(word for line in each for word in find_answers(line, known))
        words.append([word for word, count in counts.items() if count >= LEAST_CAPTIONS])
    rows = [row for row, each in enumerate(words) if each]
    return QuestionAnswers(
        images=[images[row] for row in rows],
        questions=[QUESTION] * len(rows),
        answers=[words[row] for row in rows],
        question_ids=range(len(rows)),
        types=[{"data": "captions"}] * len(rows),
    )


def find_answers(caption, answers):
    """Returns the answers that a caption contains, each once, also for the plural of a word.

    >>> find_answers("Two brown dogs on a fire hydrant.", {"dog", "brown", "fire hydrant"})
    ['brown', 'dog', 'fire hydrant']
    """
    words = re.findall(r"[a-z0-9']+", caption.lower())
    found = set()
    for each in (words, [re.sub("(?<=[^s])s$", "", word) for word in words]):
        for size in range(1, LONGEST_ANSWER + 1):
            starts = range(len(each) - size + 1)
            found |= {" ".join(each[start : start + size]) for start in starts} & answers
    return sorted(found)
