"""Writes ../data/meteor_cases.json: captions and their scores from METEOR 1.5's jar.

Needs Java and the package pycocoevalcap: `python tests/metrics/make_meteor_cases.py`.
"""

import json
import subprocess
import tempfile
from pathlib import Path

from meteor_small_tables import write_tables

CASES_FILE = Path(__file__).parents[1] / "data" / "meteor_cases.json"

# Each case: the candidate, then its references.
CASES = [
    ["the dog runs", "the dog runs"],
    ["a dog is running on the grass", "the dog runs on grass", "a hound running in a field"],
    ["two children are playing", "a pair of kids play", "two child plays"],
    ["a large dog jumps", "the very big dog is jumping", "a big hound leapt"],
    ["it jumps in front of the boy", "the dog is jumping before the young boy"],
    [
        "several people next to a crate",
        "a group of people beside the boxes",
        "many people by a box",
    ],
    ["a young boy", "a little boy", "the child"],
    ["ladies at parties", "women in company", "the woman 's lady"],
    ["the the the the the the", "the cat on the mat"],
    ["a a a a b b b", "a b a b a b a b"],
    ["dog the dog the dog", "the dog the dog the dog and the dog"],
    ["a man and a woman and a dog and a boy", "a dog and a boy and a man and a woman"],
    ["on the grass a dog runs", "a dog runs on the grass"],
    ["nothing in common", "words that differ"],
    ["", "a dog"],
    ["a dog", ""],
    ["", ""],
    ["   ", "a dog", "   "],
    ["dog", "dog"],
    ["dog", "dogs", "hound"],
    ["a well-known t-shirt", "a well known t shirt"],
    ["the dog's ball isn't red", "the dog 's ball is n't red", "dogs' ball"],
    ["mr. Smith vs. Mr. Jones", "Mr. smith v. jones", "mr smith vs jones ."],
    ["No. 5 in the u.s. of a.", "no . 5 in the us of a .", "No 5 U.S. a"],
    ["wait ... what?! yes...", "wait... what ? ! yes ...", "wait .. what"],
    ["he said \u201cstop\u201d \u2013 ``now''", 'he said " stop " - " now "', "he said 'stop'"],
    ["1,000 dogs , 3.5 miles,now", "1,000 dogs, 3.5 miles , now", "1 000 dogs"],
    ["$5 & 50% #1 @home", "$ 5 & 50 % # 1 @ home", "5 dollars"],
    ["caf\u00e9 na\u00efve \u0416\u0423\u041a", "CAF\u00c9 NA\u00cfVE \u0436\u0443\u043a", "cafe"],
    ["\u65e5\u672c \u306e \u72ac", "\u65e5\u672c\u306e\u72ac", "a dog"],
    ["a \U0001f436 runs", "a \U0001f436runs", "a dog"],
    ["wide\u00a0space\u2003here", "wide space here", "wide here space"],
    ["control\x01 character \x02", "control character", "a\x0bb"],
    ["rock 'n' roll o'clock '90s 1990's", "rock n roll o'clock 90s 1990 's", "'tis"],
    ["dying skies generously realized", "die sky generous realization", "dies generosity"],
    ["WOMEN JUMPED", "women leapt", "the woman jumps"],
    [
        "a brown dog and a black dog run in the snow with a red ball in the mouth of a dog",
        "two dogs , a brown and a black , are running in snow with the ball of a dog in a mouth",
        "a dog with a ball in the mouth of the dog runs in a field of snow and a boy is in it",
    ],
    ["a a a a a a a a the the the the the the dog dog dog dog", "the a dog the a dog the a dog a"],
    ["the big large big large dog", "large very big large big very dog the dog"],
    ["in front of in front of before before", "before in front of facing in front of before"],
]


def compute_jar_scores(cases, options=()):
    """Scores cases with METEOR's jar, called as in pycocoevalcap's `Meteor`."""
    import pycocoevalcap.meteor

    folder = Path(pycocoevalcap.meteor.__path__[0])
    command = ["java", "-Xmx2G", "-jar", "meteor-1.5.jar", "-", "-", "-stdio", "-l", "en", "-norm"]
    with subprocess.Popen(
        [*command, *options],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    ) as process:

        def ask(line):
            process.stdin.write(line + "\n")
            process.stdin.flush()
            return process.stdout.readline().strip()

        stats = [
            ask(" ||| ".join(("SCORE", *references, candidate))) for candidate, *references in cases
        ]
        scores = [float(ask(" ||| ".join(("EVAL", *stats))))]
        scores += [float(process.stdout.readline()) for _ in cases]
        process.stdin.close()
    *image_scores, corpus_score = scores
    return {"corpus": corpus_score, "images": image_scores}


def compute_small_table_scores(cases):
    """Scores cases with METEOR's jar and the tables of `meteor_small_tables`."""
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        write_tables(folder)
        words = ("-s", folder / "function" / "english.words")
        synonyms = ("-d", folder / "synonym")
        paraphrases = ("-a", folder / "data" / "paraphrase-en.gz")
        return compute_jar_scores(cases, (*words, *synonyms, *paraphrases))


if __name__ == "__main__":
    contents = {
        "cases": CASES,
        "scores": compute_jar_scores(CASES),
        "small_table_scores": compute_small_table_scores(CASES),
    }
    CASES_FILE.write_text(json.dumps(contents, indent=1) + "\n", encoding="utf-8")
