"""Reads the questions of Visual Genome."""

from keras_mmfusion.datasets.io.visual_genome_folder import VisualGenomeFolder
from keras_mmfusion.datasets.questions.question_cleaning import clean_questions
from keras_mmfusion.files.json_records import ID, TEXT_OR_NULL


def read_visual_genome_questions(data_dir, split=None, skip_missing_images=False):
    """Reads the questions of Visual Genome from its official files.

    Args:
        data_dir: string. A folder with `image_data.json`, `question_answers.json`, and the images
            in `VG_100K/` and `VG_100K_2/`, directly or in `images/`.
        split: see `read_visual_genome_regions`.
        skip_missing_images: bool. Whether to drop questions without an image file instead of
            raising an error, for a subset of the images.

    Returns:
        `QuestionAnswers` with one answer per question, in the order of the file. Empty questions,
        and questions without an answer or about unknown images, are dropped with a warning.

    Raises:
        ValueError: if files are missing, in which case the message says where to download them; if
            a file is damaged; or if records with the same id differ.

    Reference:
        Krishna et al., "Visual Genome: Connecting Language and Vision Using Crowdsourced Dense
        Image Annotations", 2017.
    """
    genome = VisualGenomeFolder(data_dir, split)
    fields = {"qa_id": ID, "question": TEXT_OR_NULL, "answer": TEXT_OR_NULL}
    file, entries = genome.read_annotations("question_answers.json", "qas", **fields)
    records = [
        {**question, "image_id": image_id}
        for image_id, questions in entries
        for question in questions
    ]
    rows = [
        (
            each["qa_id"],
            genome.get_path(each["image_id"]),
            each.get("question") or "",
            [each.get("answer") or ""],
        )
        for each in file.drop_repeats(records, "qa_id")
    ]
    return clean_questions(rows, skip_missing_images=skip_missing_images)
