import random
import re

import numpy as np
import pytest

from keras_mmfusion.metrics.visual_question_answering import (
    answer_accuracies,
    normalize_answer,
    vqa_accuracy,
)

# Words and their replacements in the evaluation code.
PAIRS = """
    aint=ain't arent=aren't cant=can't couldve=could've couldnt=couldn't couldn'tve=couldn't've
    couldnt've=couldn't've didnt=didn't doesnt=doesn't dont=don't hadnt=hadn't
    hadnt've=hadn't've hadn'tve=hadn't've hasnt=hasn't havent=haven't hed=he'd hed've=he'd've
    he'dve=he'd've hes=he's howd=how'd howll=how'll hows=how's isnt=isn't itd=it'd
    itd've=it'd've it'dve=it'd've itll=it'll let's=let's maam=ma'am mightnt=mightn't
    mightnt've=mightn't've mightn'tve=mightn't've mightve=might've mustnt=mustn't mustve=must've
    neednt=needn't notve=not've oclock=o'clock oughtnt=oughtn't ow's'at='ow's'at
    'ows'at='ow's'at 'ow'sat='ow's'at shant=shan't shed've=she'd've she'dve=she'd've she's=she's
    shouldve=should've shouldnt=shouldn't shouldnt've=shouldn't've shouldn'tve=shouldn't've
    somebody'd=somebodyd somebodyd've=somebody'd've somebody'dve=somebody'd've
    somebodyll=somebody'll somebodys=somebody's someoned=someone'd someoned've=someone'd've
    someone'dve=someone'd've someonell=someone'll someones=someone's somethingd=something'd
    somethingd've=something'd've something'dve=something'd've somethingll=something'll
    thats=that's thered=there'd thered've=there'd've there'dve=there'd've therere=there're
    theres=there's theyd=they'd theyd've=they'd've they'dve=they'd've theyll=they'll
    theyre=they're theyve=they've twas='twas wasnt=wasn't wed've=we'd've we'dve=we'd've
    weve=we've werent=weren't whatll=what'll whatre=what're whats=what's whatve=what've
    whens=when's whered=where'd wheres=where's whereve=where've whod=who'd whod've=who'd've
    who'dve=who'd've wholl=who'll whos=who's whove=who've whyll=why'll whyre=why're whys=why's
    wont=won't wouldve=would've wouldnt=wouldn't wouldnt've=wouldn't've wouldn'tve=wouldn't've
    yall=y'all yall'll=y'all'll y'allll=y'all'll yall'd've=y'all'd've y'alld've=y'all'd've
    y'all'dve=y'all'd've youd=you'd youd've=you'd've you'dve=you'd've youll=you'll
    youre=you're youve=you've
    """
CONTRACTIONS = dict(pair.split("=") for pair in PAIRS.split())
NUMBERS = {"none": "0", "zero": "0", "one": "1", "two": "2", "three": "3", "four": "4"}
NUMBERS |= {"five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9", "ten": "10"}
OTHERS = """
    a an the The A yes Yes no dog dogs red t-shirt hot-dog 5 10 1,000 2.5 3:30 U.S.A. Im Ive whore
    hell wed shed wouldn't've didnt've eleven No. $5 50% #1 rock&roll café
    """
WORDS = [
    *NUMBERS,
    *CONTRACTIONS,
    *CONTRACTIONS.values(),
    *OTHERS.split(),
]
MARKS = [*"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~’…", "...", " ", "  ", "\t", "\n", ""]


def normalize_reference(answer):
    """The rules of the evaluation code, written with loops."""
    marks = [";", "/", "[", "]", '"', "{", "}", "(", ")", "=", "+", "\\", "_", "-", ">", "<", "@"]
    answer = result = answer.replace("\n", " ").replace("\t", " ").strip()
    for mark in [*marks, "`", ",", "?", "!"]:
        next_to_space = mark + " " in answer or " " + mark in answer
        if next_to_space or re.search(r"[0-9],[0-9]", answer) is not None:
            result = result.replace(mark, "")
        else:
            result = result.replace(mark, " ")
    kept, dropped = "", 0
    for index, character in enumerate(result):
        if character == "." and not result[index + 1 : index + 2].isdigit() and dropped < 32:
            dropped += 1
        else:
            kept += character
    words = []
    for word in kept.lower().split():
        word = NUMBERS.get(word, word)
        if word not in ("a", "an", "the"):
            words.append(CONTRACTIONS.get(word, word))
    return " ".join(words)


def compute_reference_accuracy(people, prediction):
    people = [answer.replace("\n", " ").replace("\t", " ").strip() for answer in people]
    prediction = prediction.replace("\n", " ").replace("\t", " ").strip()
    if len(set(people)) > 1:
        people = [normalize_reference(answer) for answer in people]
        prediction = normalize_reference(prediction)
    shares = []
    for person in range(len(people)):
        others = people[:person] + people[person + 1 :]
        shares.append(min(1, sum(other == prediction for other in others) / 3))
    return sum(shares) / len(shares)


def generate_answers(count):
    """Yields single words, words with each punctuation mark, and random combinations."""
    yield from WORDS
    for mark in MARKS:
        yield from (f"yes{mark}", f"{mark}yes", f"a{mark}b", f"a {mark}b", f"a{mark} b", mark)
        yield from (f"1{mark}000", f"1{mark}000{mark} dogs", f"two{mark}dont, the {mark}")
    yield from ("." * n + "x" for n in (1, 31, 32, 33, 40))
    rng = random.Random(0)
    for _ in range(count):
        parts = [
            rng.choice(WORDS) + rng.choice(MARKS) + rng.choice([" ", " ", ""])
            for _ in range(rng.randint(1, 5))
        ]
        yield rng.choice([str, str.upper, str.title])("".join(parts))


@pytest.mark.parametrize(
    ("answer", "normalized"),
    [
        ("Yes.", "yes"),
        ("yes!", "yes"),
        (" a  red\tball\n", "red ball"),
        ("Three", "3"),
        ("none", "0"),
        ("2.5", "2.5"),
        ("1,000", "1000"),
        ("1,000-2,000", "10002000"),
        ("black/white", "black white"),
        ("black , white", "black white"),
        ("hot-dog", "hot dog"),
        ("t-shirt", "t shirt"),
        ("hot-dog - big", "hotdog big"),
        ("don't", "don't"),
        ("dont know", "don't know"),
        ("he's", "he's"),
        ("theyre", "they're"),
        ("couldnt've", "couldn't've"),
        ("somebody'd", "somebodyd"),
        ("3:30", "3:30"),
        ("U.S.A.", "usa"),
        ("the", ""),
    ],
)
def test_normalize_answer_on_known_answers(answer, normalized):
    assert normalize_answer(answer) == normalized


def test_normalize_answer_matches_the_evaluation_code():
    answers = list(generate_answers(20_000))
    assert [(a, normalize_answer(a)) for a in answers] == [
        (a, normalize_reference(a)) for a in answers
    ]


def test_accuracy_matches_the_evaluation_code():
    rng, answers = random.Random(1), list(generate_answers(2_000))
    people, predictions = {}, {}
    for question in range(3_000):
        few = rng.sample(answers, rng.randint(1, 4))
        people[question] = [rng.choice(few) for _ in range(10)]
        predictions[question] = rng.choice(few)
    mean, each = vqa_accuracy(people, predictions)
    expected = {i: compute_reference_accuracy(people[i], predictions[i]) for i in people}
    assert each == pytest.approx(expected)
    assert mean == pytest.approx(sum(expected.values()) / len(expected))


@pytest.mark.parametrize(
    ("people", "prediction", "accuracy"),
    [
        (["yes"] * 9 + ["no"], "yes!", 1.0),
        (["hot dog"] * 9 + ["food"], "hot-dog", 1.0),
        (["don't"] * 9 + ["no"], "dont", 1.0),
        (["two"] * 2 + ["2"] + ["three"] * 7, "2", 0.9),
        # Identical answers are not normalized.
        (["yes"] * 10, "yes", 1.0),
        (["yes"] * 10, " yes\n", 1.0),
        (["yes"] * 10, "yes!", 0.0),
        (["two"] * 10, "2", 0.0),
        (["The Who"] * 10, "The Who", 1.0),
    ],
)
def test_accuracy_of_known_cases(people, prediction, accuracy):
    assert vqa_accuracy({1: people}, {1: prediction})[0] == pytest.approx(accuracy)


@pytest.mark.parametrize(
    ("people", "accuracy"), [(0, 0.0), (1, 0.3), (2, 0.6), (3, 0.9), (4, 1.0), (9, 1.0)]
)
def test_accuracy_grows_with_the_number_of_equal_answers(people, accuracy):
    answers = {1: ["red"] * people + ["blue"] * (9 - people) + ["green"]}
    assert vqa_accuracy(answers, {1: "Red"})[0] == pytest.approx(accuracy)


def test_answer_accuracies_average_over_leaving_one_annotator_out():
    people = ["red"] * 4 + ["Blue"] * 3 + ["the blue?", "green", "red."]
    for answer, accuracy in answer_accuracies(people).items():
        assert accuracy == pytest.approx(compute_reference_accuracy(people, answer))
    assert list(answer_accuracies(people)) == ["red", "blue", "green"]
    assert answer_accuracies(["The Who"] * 3) == {"The Who": pytest.approx(2 / 3)}
    assert answer_accuracies([]) == {}


def test_single_answer_must_equal_the_prediction():
    assert vqa_accuracy({1: ["Green."], 2: ["Sky"]}, {1: "green", 2: "sea"})[1] == {1: 1.0, 2: 0.0}


def test_mean_and_per_question_accuracy():
    mean, each = vqa_accuracy({"q": ["1"] * 10, "r": ["no"] * 10}, {"q": "1", "r": "yes"})
    assert (mean, each) == (0.5, {"q": 1.0, "r": 0.0})


def test_errors_list_unmatched_ids():
    with pytest.raises(ValueError, match="in only one: 'q', 'r'"):
        vqa_accuracy({"q": ["1"], "p": ["1"]}, {"r": "1", "p": "1"})
    with pytest.raises(ValueError, match="at least one"):
        vqa_accuracy({}, {})
    with pytest.raises(ValueError, match="empty for these question ids: 'q'"):
        vqa_accuracy({"q": []}, {"q": "1"})


def test_answers_that_are_not_strings_raise_an_error():
    with pytest.raises(
        TypeError, match="`predictions` must have strings for question 'q', not int"
    ):
        vqa_accuracy({"q": ["2", "3"]}, {"q": 2})
    with pytest.raises(TypeError, match="`answers` must have strings for question 'q', not float"):
        vqa_accuracy({"q": ["2", float("nan")]}, {"q": "2"})
    with pytest.raises(TypeError, match="not one string: 'yes'"):
        vqa_accuracy({"q": "yes"}, {"q": "yes"})


def test_string_instead_of_a_list_of_answers_raises_an_error():
    with pytest.raises(TypeError, match="`answers` must be a list of strings, not 'yes'"):
        answer_accuracies("yes")
    with pytest.raises(TypeError, match="`predictions` must be a dict with question ids, not str"):
        vqa_accuracy({"y": ["yes"]}, "y")
    with pytest.raises(TypeError, match="`answer` must be a string, not NoneType"):
        normalize_answer(None)


def test_arrays_of_answers_are_accepted_and_numbers_raise_an_error():
    people = np.array(["yes"] * 3 + ["no"])
    assert vqa_accuracy({1: people}, {1: "yes"}) == vqa_accuracy({1: people.tolist()}, {1: "yes"})
    with pytest.raises(TypeError, match="list of strings for question 1, not int: 5"):
        vqa_accuracy({1: 5}, {1: "5"})
