"""Identifies well-known JSON files, for the error message if another one was expected."""

# The keys of an object that identify each kind of file; more specific kinds come first.
_LISTS = (
    ({"image_id", "caption"}, "a COCO results file (a list of captions with image ids)"),
    ({"image_id", "captions"}, "a list of captions with image ids"),
    ({"image_id", "category_id"}, "a COCO detection results file"),
    ({"question_id", "answer"}, "a VQA results file"),
    ({"qid", "answer"}, "a list of questions and answers"),
    ({"regions"}, "Visual Genome's region_descriptions.json"),
    ({"qas"}, "Visual Genome's question_answers.json"),
    ({"relationships"}, "Visual Genome's relationships.json"),
    ({"objects"}, "Visual Genome's objects.json"),
    ({"url", "width", "height"}, "Visual Genome's image_data.json"),
    ({"image", "caption"}, "a list of images and captions"),
)
_OBJECTS = (
    ("annotations", {"caption"}, "COCO caption annotations"),
    ("annotations", {"keypoints"}, "COCO keypoint annotations (captions_*.json has the captions)"),
    (
        "annotations",
        {"category_id"},
        "COCO instance annotations (captions_*.json has the captions)",
    ),
    ("annotations", {"answers"}, "VQA v2's annotations"),
    ("questions", {"question"}, "VQA v2's questions"),
    ("images", {"sentences"}, "Karpathy's split file (dataset_*.json)"),
    ("images", {"file_name"}, "COCO's list of images without annotations"),
)


def describe_json(content):
    """Describes the content of a JSON file.

    Args:
        content: the parsed content.

    Returns:
        A string that completes the sentence "The file appears to be ...".

    Example:

    >>> describe_json([{"image_id": 7, "caption": "A dog."}])
    'a COCO results file (a list of captions with image ids)'
    >>> describe_json({"cat": 1})
    "an object with the keys 'cat'"
    """
    if isinstance(content, dict):
        for key, keys, kind in _OBJECTS:
            if keys <= _get_keys(content.get(key)):
                return kind
        keys = list(map(repr, content))
        return f"an object with the keys {', '.join(keys[:8])}" if keys else "an empty object"
    if not isinstance(content, list):
        return f"a single {type(content).__name__}"
    for keys, kind in _LISTS:
        if keys <= _get_keys(content):
            return kind
    return f"a list that starts with {str(content[0])[:60]}" if content else "an empty list"


def _get_keys(records):
    """Returns the keys of the first record, if there is one."""
    first = records[0] if isinstance(records, list) and records else None
    return set(first) if isinstance(first, dict) else set()
