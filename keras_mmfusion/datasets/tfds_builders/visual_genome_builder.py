"""TensorFlow Datasets builder of the questions of Visual Genome."""

import os
import pathlib

import numpy as np

from keras_mmfusion.datasets.questions.visual_genome_questions import read_visual_genome_questions
from keras_mmfusion.datasets.tfds_builders.folder_builder import FolderBuilder, tfds


class VisualGenomeQA(FolderBuilder):
    """Builder of the questions of Visual Genome for `tfds.load("visual_genome_qa")`.

    An example is an `"image"` with `"questions"`, a sequence of `"id"`, `"question"` and
    `"answer"`. The only split is `"train"`, because Visual Genome has no official splits. The
    folder `manual_dir` must contain the files of `read_visual_genome_questions`.

    Args:
        data_dir, version, file_format: see `tfds.core.DatasetBuilder`.
    """

    MANUAL_DOWNLOAD_INSTRUCTIONS = """
    image_data.json.zip, question_answers.json.zip, images.zip and images2.zip, from
    https://homes.cs.washington.edu/~ranjay/visualgenome/api.html, all unpacked into `manual_dir`.
    """

    def _info(self):
        text = tfds.features.Text()
        return tfds.core.DatasetInfo(
            builder=self,
            description="108,000 images with 1.7 million questions and answers.",
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
        images = {}
        for path, *question in zip(
            data.images, data.question_ids, data.questions, data.answers, strict=True
        ):
            images.setdefault(path, []).append(question)
        return {"train": self._generate_examples(list(images.items()), generate_questions)}


def generate_questions(part):
    """Returns the key and example of an image path and its questions."""
    path, questions = part
    # The key includes the folder, because the two folders have images with the same name.
    name = "/".join(pathlib.PurePath(path).parts[-2:])
    rows = [
        {"id": question_id, "question": question, "answer": answer}
        for question_id, question, (answer,) in questions
    ]
    return [(name, {"image": path, "image/filename": name, "questions": rows})]
