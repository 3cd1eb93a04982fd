"""Makes forms.json: texts as the normalizers of Hugging Face `tokenizers` leave them.

    pip install tokenizers==0.23.3
    python Tests/Fixtures/tokenizers/make_forms.py

The texts are what differs between versions of Unicode, what is easily put in the wrong order, and draws from both.
"""

import json
import random
from pathlib import Path

from tokenizers import normalizers

MARKS = "\u0301\u0323\u0327\u0307\u0308\u0345\u0338\u05b4\u05bc"
MARKS += "\u064b\u0651\u0e38\u0f71\u0f72\u0f74\u3099\u302a\u0344\u1dce"
BASES = "aeiouAEIOUçÅñöḍṩ한가각中فلاはがアｶｱкйחשॐक়ড়🖋 "
TEXTS = [
    "Ångström e\u0301 é ﬁ ① Ａ ²", "s\u0323\u0307 s\u0307\u0323 \u1e69 \u1e0b\u0323",
    "\u1100\u1161 \u1100\u1161\u11a8 가\u11a8 각\u11a8",
    "\u3131\u314f\u3134 ﾡￂ ￡", "\u0f73 a\u0f73\u0323 \u0f75\u0301 \u0f81", "\u0958 \u09dc \u0344 \u0374 \u2126 \u212b",
    "か\u3099 ｶﾞ ﾊﾟ は\u309a", "بَّ بَّ ﷲ ﻻ آ ا\u0653", "שּׁ שּׁ \ufb2e", "\U00011099\U000110ba \U0001d15e \U0002f800",
    # Marks that came with Unicode 10 and later stay where they are.
    "a\u0323\u1ac5\u0301 a\u07fd\u0301 a\u1abf\u0323 \u0d3b\u0301", "a\u1df6\u0323 a\u1dfb\u0323", "\u0c3c\u0c46\u0c56",
    "\U00010d24\u0301 \U00016ff0", "\u1885 \u1886 \u1734 \u1cf2 \u111c9 \ua9bd",
    "\u08e2 \U00013430 \u061d \u166d \U00011c41",
    # By their low 16 bits these would be A, C and marks.
    "\U00010041\u0301 A\U00020301 \U00020043\u0327", "\u0301 \u0301a \u0323\u0301", "", "plain", "\ufdfa",
]
FORMS = {
    "NFC": normalizers.NFC(), "NFD": normalizers.NFD(), "NFKC": normalizers.NFKC(), "NFKD": normalizers.NFKD(),
    "StripAccents": normalizers.Sequence([normalizers.NFKD(), normalizers.StripAccents()]),
    "BertNormalizer": normalizers.BertNormalizer(),
}


def main():
    pick = random.Random(3)
    texts = list(TEXTS)
    for _ in range(60):
        texts.append("".join(
            pick.choice(BASES) + "".join(pick.choices(MARKS, k=pick.randrange(4))) for _ in range(pick.randint(1, 5))))
    content = {"texts": texts, "forms": {
        name: [form.normalize_str(text) for text in texts] for name, form in FORMS.items()}}
    file = Path(__file__).parent / "forms.json"
    file.write_text(json.dumps(content, separators=(",", ":")) + "\n")


main()
