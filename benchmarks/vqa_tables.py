"""The table of docs/question_answering.md on training with several data sets.

`zoo/update_score_tables.py` inserts it into the page.
"""

from result_tables import format_cores, markdown_table

DATA = {"vqa_coco": "VQA v2, the part", "vqa_daquar": "DAQUAR", "vqa_rad": "VQA-RAD"}
COMMAND = "python zoo/compare_joint_vqa.py DATA/vqa_v2 split/daquar split/vqa_rad --captions DATA"


def joint_table(report):
    """Formats the accuracy of the joint model next to the separate ones."""
    rows = []
    for row in report["rows"]:
        scores = [row[model][name] for model in ("separate", "joint") for name in row["joint"]]
        rows.append([DATA[row["preset"]], *(f"{score:.3f}" for score in scores)])
    heads = ["Data", "Separate", "Question only", "Joint", "Question only"]
    versions = report["versions"]
    seeds = len(report["rows"][0]["joint_seeds"]["accuracy"])
    note = (
        f"Dev splits; means of {seeds} seeds. The joint model is trained on "
        f"{report['training']['questions']:,} questions and the words of the captions of "
        f"{report['training']['images_with_captions']:,} photos, and knows {report['answers']:,} "
        f"answers; Keras {versions['keras']} on {versions['backend']}, "
        f"{format_cores(report['machine'])}."
    )
    return markdown_table(heads, rows, note)


TABLES = {"vqa_joint": (joint_table, "vqa_joint.json", COMMAND)}
