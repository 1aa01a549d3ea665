"""Which languages the texts of a dataset are written in."""
from __future__ import annotations

import re
from collections.abc import Mapping

MOST_TEXTS = 5000
LEAST_CHARACTERS = 20
LEAST_SURE = 0.9
"""Of texts of 20 characters or more that were called something with at least this certainty, 1 in 10,000 was called something wrong."""
MOST_CHARACTERS = 1000
LEAST_TELLING = 4
"""So many characters of a script that one language alone is written in tell it."""
DIALECTS = {"yue": "zh", "wuu": "zh", "arz": "ar", "ary": "ar", "nn": "no"}
_KANA, _HANGUL, _HAN, _LETTERS = (re.compile(f"[{letters}]") for letters in ("\u3040-\u30ff", "\uac00-\ud7a3", "\u3400-\u9fff", r"^\W\d_"))


def languages(texts: Mapping[str, str]) -> dict[str, str]:
    """The language of texts that are long enough to tell: sha -> ISO 639-1 code. `texts`: sha -> text.

    Of more than `MOST_TEXTS` texts only so many are looked at, always the same: those with the least hashes. Unsure ones are left out.
    Source of the method: py3langid, a naive Bayes classifier of byte sequences; Chinese, Japanese and Korean by their scripts.
    """
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # takes a second to load

    identifier = None
    found: dict[str, str] = {}
    for sha in sorted(texts)[:MOST_TEXTS]:
        text = texts[sha][:MOST_CHARACTERS]
        code = _by_script(text)
        if not code and len(text.strip()) >= LEAST_CHARACTERS:
            identifier = identifier or LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
            code, sure = identifier.classify(text)
            code = DIALECTS.get(code, code) if sure >= LEAST_SURE else ""
        if len(code) == 2:  # the others have no code in ISO 639-1, or are no language
            found[sha] = code
    return found


def _by_script(text: str) -> str:
    """The language whose script most of the letters belong to, else an empty text."""
    kana, hangul, han, letters = (len(pattern.findall(text)) for pattern in (_KANA, _HANGUL, _HAN, _LETTERS))
    if max(kana + han, hangul) < max(LEAST_TELLING, letters / 2):
        return ""
    if hangul > kana + han:
        return "ko"
    return "ja" if kana > (kana + han) / 10 else "zh"
