"""Compares the speed of caption metrics with pycocoevalcap.

Needs Java, the pycocoevalcap package and Flickr8k's captions:

    KERAS_MMFUSION_TEST_DATA=data python benchmarks/metrics.py

Writes `benchmarks/results/metrics.json`.
For more images than Flickr8k has, captions are spliced from the first half of one caption and the
second half of another, so they have realistic lengths and few duplicates.
"""

import argparse
import json
import os
import pathlib
import platform
import random
import resource
import subprocess
import tempfile
import time
from unittest import mock

import numpy as np
from write_results import write_results

from keras_mmfusion.metrics import (
    CiderD,
    Meteor,
    PTBTokenizer,
    bleu_scores,
    cider_d_score,
    rouge_l_score,
)


def read_captions(folder):
    path = pathlib.Path(folder, "flickr8k", "Flickr8k.token.txt")
    return [line.split("\t")[1] for line in path.read_text(encoding="utf-8").splitlines()]


def make_images(captions, images, seed=0):
    """Generates 5 references per image and candidates for any number of images."""
    rng = random.Random(seed)

    def splice():
        head, tail = rng.choice(captions).split(" "), rng.choice(captions).split(" ")
        return " ".join(head[: len(head) // 2] + tail[len(tail) // 2 :])

    references = {i: [splice() for _ in range(5)] for i in range(images)}
    # A candidate shares half of its words with a reference, like those of a captioner.
    candidates = {}
    for i, each in references.items():
        words, other = rng.choice(each).split(" "), splice().split(" ")
        candidates[i] = " ".join(words[: len(words) // 2] + other[len(other) // 2 :])
    return references, candidates


def timed(function, *arguments):
    """Returns wall-clock and CPU seconds (including child processes), and the result.

    Compare CPU seconds on a busy machine.
    """
    start, cpu_start = time.perf_counter(), cpu_seconds()
    result = function(*arguments)
    return np.array([time.perf_counter() - start, cpu_seconds() - cpu_start]), result


def cpu_seconds():
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def times(values):
    return dict(zip(("seconds", "cpu_seconds"), np.round(values, 4).tolist(), strict=True))


def time_java_start():
    """Measures Java's tokenizer on no input: the overhead of each call."""
    import pycocoevalcap.tokenizer.ptbtokenizer as peer

    jar = pathlib.Path(peer.__file__).parent / peer.STANFORD_CORENLP_3_4_1_JAR
    with tempfile.NamedTemporaryFile() as empty:
        command = ["java", "-cp", jar, "edu.stanford.nlp.process.PTBTokenizer", empty.name]
        runs = [timed(lambda: subprocess.run(command, capture_output=True))[0] for _ in range(5)]
    return np.median(runs, axis=0)


def time_scores(captions, images):
    """Times BLEU, ROUGE-L, CIDEr and the tokenizer, ours and pycocoevalcap's."""
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer as JavaTokenizer

    references, candidates = make_images(captions, images)

    def tokenize_with_java():
        tokenizer = JavaTokenizer()
        as_dicts = {i: [{"caption": c} for c in each] for i, each in references.items()}
        truth = tokenizer.tokenize(as_dicts)
        return truth, tokenizer.tokenize({i: [{"caption": c}] for i, c in candidates.items()})

    def tokenize_with_ours():
        tokenizer = PTBTokenizer()
        truth = tokenizer.tokenize(references)
        return truth, tokenizer.tokenize({i: [c] for i, c in candidates.items()})

    theirs, ours = {}, {}
    theirs["tokens"], (truth, results) = timed(tokenize_with_java)
    ours["tokens"], own_tokens = timed(tokenize_with_ours)
    single = {i: each[0] for i, each in results.items()}
    peers = {"bleu": Bleu(4), "rouge_l": Rouge(), "cider": Cider()}
    functions = {"bleu": bleu_scores, "rouge_l": rouge_l_score, "cider": cider_d_score}
    difference = 0.0
    for name, peer in peers.items():
        arguments = (truth, results, 0) if name == "bleu" else (truth, results)
        theirs[name], (expected, _) = timed(peer.compute_score, *arguments)
        ours[name], (score, _) = timed(functions[name], truth, single)
        difference = max(difference, float(np.max(np.abs(np.subtract(score, expected)))))
    scores = ("bleu", "rouge_l", "cider")
    faster = sum(map(theirs.get, scores)) / sum(map(ours.get, scores))
    return {
        "images": images,
        "captions": 6 * images,
        "pycocoevalcap": {name: times(value) for name, value in theirs.items()},
        "keras_mmfusion": {name: times(value) for name, value in ours.items()},
        "same_tokens": own_tokens == (truth, results),
        "largest_difference_of_scores": difference,
        "times_faster_bleu_rouge_l_cider": times(faster),
        "times_faster_tokens": times(theirs["tokens"] / ours["tokens"]),
    }


def time_meteor(captions, images):
    """Times METEOR, ours and the jar's; the start-up time is that of a call with one pair."""
    from pycocoevalcap.meteor.meteor import Meteor as JarMeteor

    references, candidates = make_images(captions, images)
    tokenizer = PTBTokenizer()
    truth = tokenizer.tokenize(references)
    results = tokenizer.tokenize({i: [c] for i, c in candidates.items()})
    jar_start, _ = timed(lambda: JarMeteor().compute_score({0: ["a dog"]}, {0: ["a dog"]}))
    jar, (expected, _) = timed(lambda: JarMeteor().compute_score(truth, results))
    with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, KERAS_HOME=folder):
        # The first call on a machine also caches the tables.
        own_first, _ = timed(lambda: Meteor().score({0: ["a dog"]}, {0: "a dog"}))
        own_start, _ = timed(lambda: Meteor().score({0: ["a dog"]}, {0: "a dog"}))
    single = {i: each[0] for i, each in results.items()}
    own, (score, _) = timed(lambda: Meteor().score(truth, single))
    return {
        "images": images,
        "jar": times(jar),
        "jar_start_up": times(jar_start),
        "keras_mmfusion": times(own),
        "keras_mmfusion_start_up": times(own_start),
        "keras_mmfusion_first_start_up": times(own_first),
        "difference_of_scores": abs(score - expected),
        "times_the_jar": times(own / jar),
    }


def time_self_critical_batch(captions, images=6000, batch=160, steps=100):
    """Times the rewards of a step: pycocoevalcap on the batch, ours with precomputed references."""
    from pycocoevalcap.cider.cider import Cider

    references, candidates = make_images(captions, images)
    prepare, scorer = timed(CiderD, references)
    rng = random.Random(1)
    batches = [rng.choices(list(references), k=batch) for _ in range(steps)]

    def theirs(ids):
        truth = {n: references[i] for n, i in enumerate(ids)}
        Cider().compute_score(truth, {n: [candidates[i]] for n, i in enumerate(ids)})

    own = [timed(scorer.score, ids, [candidates[i] for i in ids])[0] for ids in batches]
    peer = [timed(theirs, ids)[0] for ids in batches[:20]]
    own, peer = np.median(own, axis=0), np.median(peer, axis=0)
    return {
        "images": images,
        "batch": batch,
        "prepare": times(prepare),
        "keras_mmfusion": times(own),
        "pycocoevalcap": times(peer),
        "times_faster": times(peer / own),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    results = pathlib.Path(__file__).parent / "results" / "metrics.json"
    parser.add_argument("--json", type=pathlib.Path, default=results)
    parser.add_argument("--images", type=int, nargs="*", default=[5000, 40000])
    parser.add_argument("--meteor-images", type=int, nargs="*", default=[5000, 40000])
    arguments = parser.parse_args()
    captions = read_captions(os.environ["KERAS_MMFUSION_TEST_DATA"])
    report = {
        "machine": f"{os.cpu_count()} CPU cores, {platform.machine()}",
        "python": platform.python_version(),
        "java_start_up": times(time_java_start()),
        "self_critical_batch": time_self_critical_batch(captions),
        "scores": [time_scores(captions, images) for images in arguments.images],
        "meteor": [time_meteor(captions, images) for images in arguments.meteor_images],
    }
    print(json.dumps(report, indent=2))
    write_results(arguments.json, report)


if __name__ == "__main__":
    main()
