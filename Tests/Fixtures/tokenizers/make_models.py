"""Makes models.json and the tokenizers beside it that are not byte-level, with Hugging Face `tokenizers`.

    pip install tokenizers==0.23.3 sentencepiece==0.2.1
    python Tests/Fixtures/tokenizers/make_models.py

All are trained on corpus.txt; the texts are those of cases.json and some more.

llama.json       BPE on characters with byte fallback, "▁" put in front (Llama 2, Mistral, Phi-3)
gemma.json       the same without "▁" in front (Gemma)
metaspace.json   the same with the "▁" put in front by the pre-tokenizer (newer Llama 2 files); no byte fallback
unigram.json     unigram with a character map (T5, XLM-R)
fallback.json    unigram with byte fallback
bert.json        WordPiece (MiniLM, bge, nomic-bert)
steps.json       one small unigram under many normalizers and pre-tokenizers
models.json      ids for all of them
"""

import copy
import io
import json
import random
import tempfile
from pathlib import Path

import sentencepiece
from sentencepiece import sentencepiece_model_pb2 as model_pb2
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

HERE = Path(__file__).parent
MARK = "\u2581"
BYTES = [f"<0x{b:02X}>" for b in range(256)]
TEXTS = [
    "<s>", "a<s>b", " <s> b", "<s><s>  </s>", "<unk>", "<|user|>  \n hi <|end|> x", "x <|user|>", "\u2581", "a\u2581b",
    "\u2581\u2581a", "[MASK] a[MASK]b", " [SEP] ", "[UNK]", "naïve Ångström ﬁne ①", "ＡＢＣ１２３　ｶﾞ", "don't can't I'm",
    "Ça va? ÇA VA! Ω ß İ ſ", "漢字かな交じり文", "word-word_word…word", "a\u00adb\u0007c\ud7ffd", "\u200bzero\u200c",
    "word" * 40, "supercalifragilistic" * 6, "1 + 2 = 3; $5 < 6^7", "<0x0A>", "\n\n\n", "\t\tx",
    "[n]", "a [n]b", "xWORDx WORD",
]
# Variants of steps.json: normalizer and pre-tokenizer.
VARIANTS = [
    (normalizers.NFD(), pre_tokenizers.WhitespaceSplit()),
    (normalizers.NFKD(), pre_tokenizers.Whitespace()),
    (normalizers.NFKC(), pre_tokenizers.Punctuation()),
    (normalizers.Lowercase(), pre_tokenizers.Punctuation("merged_with_next")),
    (normalizers.Strip(), pre_tokenizers.Digits(individual_digits=False)),
    (normalizers.Strip(left=False, right=True), pre_tokenizers.Digits(individual_digits=True)),
    (normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents()]), pre_tokenizers.BertPreTokenizer()),
    (normalizers.Nmt(), pre_tokenizers.Split(" ", "merged_with_previous")),
    (normalizers.BertNormalizer(), pre_tokenizers.Split("e", "merged_with_next")),
    (normalizers.BertNormalizer(lowercase=False, strip_accents=True), pre_tokenizers.Split("o", "removed")),
    (
        normalizers.BertNormalizer(clean_text=False, handle_chinese_chars=False),
        pre_tokenizers.Split("  ", "contiguous"),
    ),
    (normalizers.Prepend("the "), pre_tokenizers.Metaspace(prepend_scheme="first")),
    (normalizers.Replace("th", "ð"), pre_tokenizers.Metaspace(prepend_scheme="never", split=False)),
    (
        normalizers.Sequence([normalizers.NFC(), normalizers.Replace("aa", "b")]),
        pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]),
    ),
]


def added(id, content, **flags):
    token = dict(id=id, content=content, single_word=False, lstrip=False, rstrip=False, normalized=False, special=True)
    return token | flags


def character_bpe(text):
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend(MARK), normalizers.Replace(" ", MARK)])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
    trainer = trainers.BpeTrainer(
        vocab_size=900, special_tokens=["<unk>", "<s>", "</s>"] + BYTES, show_progress=False, limit_alphabet=90
    )
    tokenizer.train_from_iterator(text.split("\n"), trainer)
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace(MARK, " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)]
    )
    file = json.loads(tokenizer.to_str())
    file["pre_tokenizer"] = None
    file["added_tokens"] = [token for token in file["added_tokens"] if token["id"] < 3]
    size = len(file["model"]["vocab"])
    file["added_tokens"] += [
        added(size, "<|user|>", rstrip=True), added(size + 1, "<|end|>", lstrip=True),
        added(size + 2, "[n]", normalized=True, special=False),
        added(size + 3, "WORD", single_word=True, special=False),
    ]
    return file


def bpe_files(text):
    llama = character_bpe(text)
    gemma = copy.deepcopy(llama)
    gemma["normalizer"] = json.loads(normalizers.Replace(" ", MARK).__getstate__())
    pattern = {"String": " "}
    gemma["pre_tokenizer"] = {"type": "Split", "pattern": pattern, "behavior": "MergedWithPrevious", "invert": False}
    gemma["decoder"]["decoders"].pop()
    gemma["added_tokens"].append(added(len(gemma["model"]["vocab"]) + 4, "\n\n", special=False))
    metaspace = copy.deepcopy(llama)
    metaspace["normalizer"] = None
    metaspace["pre_tokenizer"] = {"type": "Metaspace", "replacement": MARK, "prepend_scheme": "first", "split": False}
    metaspace["model"]["byte_fallback"] = False
    return {"llama": llama, "gemma": gemma, "metaspace": metaspace}


def unigram_files(text):
    with tempfile.TemporaryDirectory() as folder:
        rules = Path(folder) / "rules.tsv"
        # What is replaced, by what, as code points.
        pairs = [("ﬁ", "fi"), ("①", "1"), ("Ａ", "A"), ("\u3000", " "), ("\t", " "), ("\n", " ")]
        pairs += [("e\u0301", "é"), ("\u00ad", "")]
        code = lambda s: " ".join(f"{ord(c):X}" for c in s)
        rules.write_text("".join(f"{code(a)}\t{code(b)}\n" for a, b in pairs))
        output = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(text.split("\n")), model_writer=output, vocab_size=500, model_type="unigram",
            normalization_rule_tsv=str(rules), hard_vocab_limit=False, minloglevel=2, max_sentence_length=100000,
        )
    proto = model_pb2.ModelProto.FromString(output.getvalue())
    vocabulary = [(piece.piece, piece.score) for piece in proto.pieces]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=0, byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Precompiled(proto.normalizer_spec.precompiled_charsmap),
            normalizers.Replace(Regex(" {2,}"), " "),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 2)]
    )
    unigram = json.loads(tokenizer.to_str())
    unigram["added_tokens"] = [added(0, "<unk>"), added(1, "<s>"), added(2, "</s>")]
    fallback = copy.deepcopy(unigram)
    fallback["normalizer"] = None
    fallback["model"]["vocab"] = fallback["model"]["vocab"][:300] + [[b, -20.0] for b in BYTES]
    fallback["model"]["byte_fallback"] = True
    fallback["decoder"] = {"type": "Sequence", "decoders": [
        {"type": "Replace", "pattern": {"String": MARK}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}]}
    steps = copy.deepcopy(fallback)
    steps["model"]["vocab"] = steps["model"]["vocab"][:200] + [[c, -9.0] for c in "ð"] + [["the", -5.0], ["th", -6.0]]
    steps["model"]["vocab"] = [list(pair) for pair in dict(map(tuple, reversed(steps["model"]["vocab"]))).items()][::-1]
    steps["model"]["byte_fallback"] = False
    steps["added_tokens"] = [added(0, "<unk>"), added(1, "<s>"), added(2, "</s>")]
    steps["post_processor"] = None
    return {"unigram": unigram, "fallback": fallback, "steps": steps}


def word_piece(text):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(vocab_size=800, special_tokens=special, show_progress=False, limit_alphabet=200)
    tokenizer.train_from_iterator(text.split("\n"), trainer)
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return json.loads(tokenizer.to_str())


def main():
    text = (HERE / "corpus.txt").read_bytes().decode("utf8")
    files = bpe_files(text) | unigram_files(text) | {"bert": word_piece(text)}
    texts = json.loads((HERE / "cases.json").read_text())["texts"]
    texts = texts + TEXTS
    cases = {"texts": TEXTS, "ids": {}, "plain": {}, "ends": {}, "variants": [], "decode": {}}
    random.seed(11)
    for name, content in files.items():
        raw = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        (HERE / f"{name}.json").write_text(raw + "\n", encoding="utf8", newline="")
        tokenizer = Tokenizer.from_str(raw)
        if name == "steps":
            continue
        cases["ids"][name] = [tokenizer.encode(t, add_special_tokens=False).ids for t in texts]
        cases["ends"][name] = [tokenizer.encode(t, add_special_tokens=True).ids for t in ["", "a b"]]
        decode = []
        # Bytes that are no character make Hugging Face give up the whole run of bytes, which Qalam does not.
        plain = [id for text, id in tokenizer.get_vocab().items() if text not in BYTES]
        spelled = [tokenizer.token_to_id(f"<0x{b:02X}>") for b in "é中😀".encode()]
        for _ in range(30):
            ids = random.choices(sorted(plain), k=random.randint(1, 7))
            if spelled[0] is not None and name != "metaspace":
                ids += spelled + ids[:2]
            decode.append({"ids": ids, "text": tokenizer.decode(ids, skip_special_tokens=False)})
        cases["decode"][name] = decode
        tokenizer.encode_special_tokens = True
        cases["plain"][name] = [tokenizer.encode(t, add_special_tokens=False).ids for t in TEXTS]
    for normalizer, pre_tokenizer in VARIANTS:
        tokenizer = Tokenizer.from_str(json.dumps(files["steps"]))
        tokenizer.normalizer = normalizer
        tokenizer.pre_tokenizer = pre_tokenizer
        content = json.loads(tokenizer.to_str())
        cases["variants"].append({
            "normalizer": json.dumps(content["normalizer"]), "preTokenizer": json.dumps(content["pre_tokenizer"]),
            "ids": [tokenizer.encode(t, add_special_tokens=False).ids for t in texts[::2]],
        })
    (HERE / "models.json").write_text(json.dumps(cases, separators=(",", ":")) + "\n")


main()
