"""Visual Genome's questions for TensorFlow Datasets."""

import os
import pathlib

import numpy as np

from keras_mmfusion.datasets.questions.visual_genome import read_visual_genome_questions
from keras_mmfusion.datasets.tfds_builders.folder_builder import FolderBuilder, tfds


class VisualGenomeQA(FolderBuilder):
    """Builder of Visual Genome's questions, `tfds.load("visual_genome_qa")`: an example a photo.

    An example has an `"image"` and `"questions"`, a sequence of `"id"`, `"question"` and
    `"answer"`. The only split is `"train"`, since Visual Genome has none of its own. The folder
    `manual_dir` is as `read_visual_genome_questions` takes it.

    Args:
        data_dir, version, file_format: as for every builder of TensorFlow Datasets.
    """

    MANUAL_DOWNLOAD_INSTRUCTIONS = """
    image_data.json.zip, question_answers.json.zip, images.zip and images2.zip, from
    https://homes.cs.washington.edu/~ranjay/visualgenome/api.html, all unpacked into `manual_dir`.
    """

    def _info(self):
        text = tfds.features.Text()
        return tfds.core.DatasetInfo(
            builder=self,
            description="108,000 photos with 1.7 million questions and answers.",
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(None, None, 3), encoding_format="jpeg"),
                    "image/filename": text,
                    "questions": tfds.features.Sequence(
                        {"id": np.int64, "question": text, "answer": text}
                    ),
                }
            ),
            homepage="https://homes.cs.washington.edu/~ranjay/visualgenome/",
        )

    def _split_generators(self, dl_manager):
        data = read_visual_genome_questions(os.fspath(dl_manager.manual_dir))
        photos = {}
        for path, *question in zip(
            data.images, data.question_ids, data.questions, data.answers, strict=True
        ):
            photos.setdefault(path, []).append(question)
        return {"train": self._generate_examples(list(photos.items()), questioned_photo)}


def questioned_photo(part):
    """The example of a photo's path and its questions."""
    path, questions = part
    # The folder and the name: the two folders have photos of the same name.
    name = "/".join(pathlib.PurePath(path).parts[-2:])
    rows = [
        {"id": question_id, "question": question, "answer": answer}
        for question_id, question, (answer,) in questions
    ]
    return [(name, {"image": path, "image/filename": name, "questions": rows})]
