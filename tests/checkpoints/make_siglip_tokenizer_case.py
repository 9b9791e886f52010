"""Writes `data/siglip_spiece.model` and `data/siglip_tokenizer.json`: a small vocabulary in
SentencePiece's format, texts, and their ids by transformers and by `tokenizers`.

Run `python tests/checkpoints/make_siglip_tokenizer_case.py` where transformers, SentencePiece and
`tokenizers` are installed.
"""

import json
import pathlib
import random
import string
import tempfile

import sentencepiece
import tokenizers
from tokenizers import decoders, models, normalizers, pre_tokenizers
from transformers import SiglipTokenizer

DATA = pathlib.Path(__file__).parent / "data"
# What SentencePiece's own rules do to these characters; all rules take 240 kB.
RULES = {
    "Ａ": "a",
    "ａ": "a",
    "ﬁ": "fi",
    "ﬂ": "fl",
    "½": "1⁄2",
    "①": "1",
    "\u00a0": " ",
    "\u3000": " ",
    "\u200b": " ",
    "\u0007": "",
    "e\u0301": "é",
    "a\u0300": "à",
    "a\u0300\u0301": "á",
    "ｶﾞ": "ガ",
    "ｶ": "カ",
    "㍿": "株式会社",
}
VOCABULARY = """a the an of in on with and two three dog dogs cat cats bird man woman child boy girl
people red blue green black white small large running jumps playing sits stands holding wearing
grass water beach snow street ball frisbee bicycle camera photo picture field park café über naïve
photograph photographer river running runner played player fields 1 2 10 1999 3d"""
WORDS = VOCABULARY.split()
ADVERSARIAL = """ |▁|a▁b|▁▁a|</s>|a </s> b|</s>a|a</s>|<unk>|<unk> a|a<unk>b|</s></s>|  </s> </s> x
</S>|A dog's ball!|don't|a_b-c/d|two  spaces|...|!!!|tab\tnew\x0bline\r|\u00a0dog\u2003cat
dog\u200bcat|Ａ ａ|ﬁeld of ﬂowers|½ cup|①|cafe\u0301|caf\u00e9|a\u0300|a\u0300\u0301|ｶﾞｶ|㍿
Σίσυφος ΣΑΣ|İstanbul|日本語 テキスト|한국어|🐶🐕‍🦺 dog|\x00nul|\x07bell|\ufeffbom|\ufffd|ß|ǅ
a\u2028b|<|unk>|</s|\u202eRTL|xyz|qqqq dog qqqq|UPPER Case|1999|3D 10 12|photographers
Zoë's naïve über-café|x\u0301y"""
TEXTS = ADVERSARIAL.replace("\n", "|").split("|")


def train(folder):
    """Returns the path of a small unigram model."""
    rng = random.Random(0)
    corpus, rules = folder / "corpus.txt", folder / "rules.tsv"
    lines = [" ".join(rng.choices(WORDS, k=8)) for _ in range(400)]
    corpus.write_text("\n".join(lines), "utf-8")
    rules.write_text(
        "".join(
            "\t".join(" ".join(f"{ord(c):X}" for c in side) for side in rule) + "\n"
            for rule in RULES.items()
        )
    )
    sentencepiece.SentencePieceTrainer.train(
        input=str(corpus),
        model_prefix=str(folder / "spiece"),
        vocab_size=180,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        hard_vocab_limit=False,
        normalization_rule_tsv=str(rules),
        minloglevel=2,
    )
    return folder / "spiece.model"


def make_texts():
    rng = random.Random(1)
    characters = "".join({*"".join(WORDS), *"".join(RULES), *string.punctuation, *"Éñ▁語🐶 \u0301"})
    characters = sorted(characters)
    texts = list(TEXTS)
    for _ in range(60):
        words = rng.choices(WORDS, k=rng.randint(1, 6))
        for _ in range(rng.randint(0, 3)):
            words.insert(rng.randrange(len(words)), "".join(rng.choices(characters, k=3)))
        texts.append(rng.choice(["", " "]).join(words).title())
    texts += ["".join(rng.choices(characters, k=rng.randint(1, 30))) for _ in range(60)]
    return [text.encode("utf-8", "ignore").decode() for text in texts]


def build_json(source):
    """Returns the tokenizer of the library `tokenizers` with the same pieces, without rules."""
    model = source.sp_model
    vocabulary = [(model.id_to_piece(i), model.get_score(i)) for i in range(len(model))]
    tokenizer = tokenizers.Tokenizer(models.Unigram(vocabulary, unk_id=2))
    punctuation = "".join("\\" + character for character in string.punctuation)
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Lowercase(),
            normalizers.Replace(tokenizers.Regex(f"[{punctuation}]"), ""),
            normalizers.Replace(tokenizers.Regex(r"\s+"), " "),
            normalizers.Strip(),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    special = [
        tokenizers.AddedToken(token, normalized=False, lstrip=True, rstrip=True, special=True)
        for token in ("</s>", "<unk>")
    ]
    tokenizer.add_special_tokens(special)
    return tokenizer


if __name__ == "__main__":
    texts = make_texts()
    with tempfile.TemporaryDirectory() as folder:
        path = train(pathlib.Path(folder))
        (DATA / "siglip_spiece.model").write_bytes(path.read_bytes())
        source = SiglipTokenizer(str(path))
        other = build_json(source)
        content = {
            "texts": texts,
            "ids": [source(text, add_special_tokens=False)["input_ids"] for text in texts],
            "tokenizer": json.loads(other.to_str()),
            "tokenizer_ids": [other.encode(text, add_special_tokens=False).ids for text in texts],
        }
    dumped = json.dumps(content, ensure_ascii=True, separators=(",", ":"))
    (DATA / "siglip_tokenizer.json").write_text(dumped + "\n")
