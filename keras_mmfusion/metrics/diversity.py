"""How varied captions are, how much they copy, and whether they name the objects."""

from keras_mmfusion.metrics.caption_inputs import as_list, check_captions, split_tokens
from keras_mmfusion.metrics.ptb_tokenizer import PTBTokenizer


def caption_diversity(candidates, training_captions=None):
    """Figures of the variety of captions, whatever their references say.

    `distinct_n = different n-grams / n-grams` over all captions.

    Args:
        candidates: dict of image id -> string, a sequence of strings, or one string.
        training_captions: iterable of strings the model was trained on, or one string, if
            `seen_in_training` is wanted.

    Returns:
        A dict: `distinct_1`, `distinct_2` (floats), `vocabulary` (int, different words),
        `mean_length` (float, words per caption), `distinct_captions` (float, share of different
        captions), and `seen_in_training` (float, share of captions that are one of the training
        captions word for word), if these are given. Words are `PTBTokenizer`'s.

    Raises:
        ValueError: if there are no captions.
        TypeError: if a caption is no string.

    Example:

    >>> figures = caption_diversity(["A dog runs.", "A dog sits."], ["a dog runs"])
    >>> figures["vocabulary"], figures["distinct_2"], figures["seen_in_training"]
    (4, 0.75, 0.5)

    Reference:
        Li et al., "A Diversity-Promoting Objective Function for Neural Conversation Models"
        (2016), section 5 (distinct-n).
    """
    values = getattr(candidates, "values", None)  # Of a table it is an array, not a method.
    captions = as_list(values() if callable(values) else candidates)
    if not captions:
        raise ValueError("`candidates` must have at least one caption.")
    tokenizer = PTBTokenizer()
    captions = [tuple(line.split()) for line in tokenizer.tokenize_lines(captions)]
    words = [word for caption in captions for word in caption]
    pairs = [pair for caption in captions for pair in zip(caption, caption[1:], strict=False)]
    figures = {
        "distinct_1": _share_different(words),
        "distinct_2": _share_different(pairs),
        "vocabulary": len(set(words)),
        "mean_length": len(words) / len(captions),
        "distinct_captions": _share_different(captions),
    }
    if training_captions is not None:
        lines = tokenizer.tokenize_lines(as_list(training_captions))
        seen = {tuple(line.split()) for line in lines}
        figures["seen_in_training"] = sum(c in seen for c in captions) / len(captions)
    return figures


def object_recall(references, candidates, objects, least=2):
    """Share of the objects that references agree on which the candidate names.

    An object is in an image if at least `least` of its references (or all of fewer) name it. No
    parser and no model takes part: a word is named or it is not.

    Args:
        references: dict of image id -> list of strings.
        candidates: dict of image id -> string.
        objects: iterable of object words, such as COCO's categories; an entry with several words
            between commas counts as one object with several names (`"man, woman, person"`). One
            string is one such entry.
        least: int. References that must name an object for it to be in the image.

    Returns:
        A dict: `recall` and `precision` (floats; `precision` is the share of the objects a
        candidate names that any reference names too, so 1 less the share of invented ones; NaN
        where there are none to count), `objects` (int, how many were to be named).

    Raises:
        ValueError: if the two have different image ids.

    Example:

    >>> references = {1: ["A dog on a beach", "A dog runs on a beach"], 2: ["Two cats", "A cat"]}
    >>> figures = object_recall(references, {1: "A dog and a cat", 2: "Cats"}, ["dog", "cat, cats"])
    >>> figures["recall"], round(figures["precision"], 2)
    (1.0, 0.67)

    Reference:
        Rohrbach et al., "Object Hallucination in Image Captioning" (2018), whose CHAIR counts the
        invented objects.
    """
    check_captions(references, candidates)
    tokenizer = PTBTokenizer()
    names = {}
    for entry in as_list(objects):
        first, *others = [name.strip().lower() for name in entry.split(",")]
        names |= dict.fromkeys([first, *others], first)
    references = tokenizer.tokenize(references)
    captions = tokenizer.tokenize({i: [candidates[i]] for i in references})
    wanted = named = right = found = 0
    for image_id, each in references.items():
        by_reference = [_objects(caption, names) for caption in each]
        agreed = {
            thing
            for thing in set().union(*by_reference)
            if sum(thing in things for things in by_reference) >= min(least, len(each))
        }
        said = _objects(captions[image_id][0], names)
        wanted += len(agreed)
        found += len(agreed & said)
        named += len(said)
        right += len(said & set().union(*by_reference))
    return {
        "recall": found / wanted if wanted else float("nan"),
        "precision": right / named if named else float("nan"),
        "objects": wanted,
    }


def _share_different(entries):
    return len(set(entries)) / len(entries) if entries else 0.0


def _objects(caption, names):
    words = split_tokens(caption)
    # Names of up to three words: "traffic light".
    phrases = (" ".join(words[i : i + n]) for n in (1, 2, 3) for i in range(len(words) - n + 1))
    return {names[phrase] for phrase in phrases if phrase in names}
