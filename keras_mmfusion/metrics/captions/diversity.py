"""Diversity, novelty and object coverage of captions."""

from keras_mmfusion.metrics.captions.caption_inputs import as_list, check_captions, split_tokens
from keras_mmfusion.metrics.tokenization.ptb_tokenizer import PTBTokenizer


def caption_diversity(candidates, training_captions=None):
    """Computes diversity metrics of captions, without references.

    `distinct_n = distinct n-grams / n-grams` over all captions.

    Args:
        candidates: dict of image id -> string, a sequence of strings, or one string.
        training_captions: iterable of strings, or one string. The captions that the model was
            trained on, for `seen_in_training`.

    Returns:
        A dict: `distinct_1`, `distinct_2` (floats), `vocabulary` (int, distinct words),
        `mean_length` (float, words per caption), `distinct_captions` (float, share of distinct
        captions), and with `training_captions` also `seen_in_training` (float, share of captions
        that are identical to a training caption). Words are the tokens of `PTBTokenizer`.

    Raises:
        ValueError: if there are no captions.
        TypeError: if a caption is not a string.

    Example:

    >>> scores = caption_diversity(["A dog runs.", "A dog sits."], ["a dog runs"])
    >>> scores["vocabulary"], scores["distinct_2"], scores["seen_in_training"]
    (4, 0.75, 0.5)

    Reference:
        Li et al., "A Diversity-Promoting Objective Function for Neural Conversation Models"
        (2016), section 5 (distinct-n).
    """
    values = getattr(candidates, "values", None)  # An array, not a method, for pandas objects.
    captions = as_list(values() if callable(values) else candidates)
    if not captions:
        raise ValueError("`candidates` must have at least one caption.")
    tokenizer = PTBTokenizer()
    captions = [tuple(line.split()) for line in tokenizer.tokenize_lines(captions)]
    words = [word for caption in captions for word in caption]
    bigrams = [pair for caption in captions for pair in zip(caption, caption[1:], strict=False)]
    scores = {
        "distinct_1": _distinct_share(words),
        "distinct_2": _distinct_share(bigrams),
        "vocabulary": len(set(words)),
        "mean_length": len(words) / len(captions),
        "distinct_captions": _distinct_share(captions),
    }
    if training_captions is not None:
        lines = tokenizer.tokenize_lines(as_list(training_captions))
        seen = {tuple(line.split()) for line in lines}
        scores["seen_in_training"] = sum(c in seen for c in captions) / len(captions)
    return scores


def object_recall(references, candidates, objects, min_references=2):
    """Computes how many of the objects named by the references the candidates name.

    An object is in an image if at least `min_references` of its references name it (all of them,
    if there are fewer). Objects are found by matching words, without a parser or a model.

    Args:
        references: dict of image id -> list of strings.
        candidates: dict of image id -> string.
        objects: iterable of object words, such as COCO's categories. An entry with several words
            separated by commas is one object with several names (`"man, woman, person"`). A
            string is a single entry.
        min_references: int. How many references must name an object.

    Returns:
        A dict: `recall` (float, the share of the objects in the images that candidates name),
        `precision` (float, the share of the objects named by candidates that any reference also
        names; 1 minus the share of hallucinated objects), `objects` (int, the number of objects
        in the images). `recall` and `precision` are NaN if there are no objects to count.

    Raises:
        ValueError: if the image ids differ.

    Example:

    >>> references = {1: ["A dog on a beach", "A dog runs on a beach"], 2: ["Two cats", "A cat"]}
    >>> scores = object_recall(references, {1: "A dog and a cat", 2: "Cats"}, ["dog", "cat, cats"])
    >>> scores["recall"], round(scores["precision"], 2)
    (1.0, 0.67)

    Reference:
        Rohrbach et al., "Object Hallucination in Image Captioning" (2018), whose CHAIR metric
        counts the hallucinated objects.
    """
    check_captions(references, candidates)
    tokenizer = PTBTokenizer()
    names = {}
    for entry in as_list(objects):
        first, *others = [name.strip().lower() for name in entry.split(",")]
        names |= dict.fromkeys([first, *others], first)
    references = tokenizer.tokenize(references)
    captions = tokenizer.tokenize({i: [candidates[i]] for i in references})
    present = recalled = named = correct = 0
    for image_id, each in references.items():
        by_reference = [_find_objects(caption, names) for caption in each]
        in_any = set().union(*by_reference)
        in_image = {
            name
            for name in in_any
            if sum(name in found for found in by_reference) >= min(min_references, len(each))
        }
        in_candidate = _find_objects(captions[image_id][0], names)
        present += len(in_image)
        recalled += len(in_image & in_candidate)
        named += len(in_candidate)
        correct += len(in_candidate & in_any)
    return {
        "recall": recalled / present if present else float("nan"),
        "precision": correct / named if named else float("nan"),
        "objects": present,
    }


def _distinct_share(entries):
    return len(set(entries)) / len(entries) if entries else 0.0


def _find_objects(caption, names):
    words = split_tokens(caption)
    # Names of up to three words: "traffic light".
    phrases = (" ".join(words[i : i + n]) for n in (1, 2, 3) for i in range(len(words) - n + 1))
    return {names[phrase] for phrase in phrases if phrase in names}
