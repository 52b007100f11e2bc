"""The language of texts, guessed from their most frequent small words and from their script."""

import polars as pl

_SMALL_WORDS = {
    "en": "the and for with of to in your is from this are",
    "de": "der die das und für mit von den dem im zum ein eine ist aus auf nicht",
    "fr": "le la les et pour avec de du des un une en dans est sur aux",
    "es": "el la los las y para con de del un una en es por al",
    "it": "il lo la gli e per con di del della un una in è da dei",
    "pt": "o a os as e para com de do da um uma em é não dos",
    "nl": "de het een en voor met van in op is zijn te niet naar",
}
_SCRIPTS = {"ja": r"[\p{Hiragana}\p{Katakana}]", "ko": r"\p{Hangul}", "el": r"\p{Greek}", "th": r"\p{Thai}"}
NAMES = {
    "en": "English",
    "de": "German",
    "fr": "French",
    "es": "Spanish",
    "it": "Italian",
    "pt": "Portuguese",
    "nl": "Dutch",
    "ja": "Japanese",
    "ko": "Korean",
    "el": "Greek",
    "th": "Thai",
}
"""The languages that are told apart, by their codes of ISO 639."""
_LEAD, _LEAST_SHARE, _LEAST_TEXTS = 1.5, 0.1, 2


def guessed_language(texts: pl.Series) -> str | None:
    """Return the language of most texts as a code of ISO 639; None where it is not clear."""
    frame = texts.drop_nulls().str.to_lowercase().alias("text").to_frame()
    if frame.is_empty():
        return None
    text = pl.col("text")
    has_script = frame.select(text.str.contains(pattern).mean().alias(code) for code, pattern in _SCRIPTS.items())
    for code, share in has_script.row(0, named=True).items():
        if share >= 0.5:
            return str(code)
    words = text.str.extract_all(r"\p{L}+")
    shares = frame.select(
        words.list.eval(pl.element().is_in(own.split())).list.any().mean().alias(code)
        for code, own in _SMALL_WORDS.items()
    ).row(0, named=True)
    (best, share), (_, second) = sorted(shares.items(), key=lambda item: -item[1])[:2]
    is_frequent = share >= _LEAST_SHARE and share * frame.height >= _LEAST_TEXTS
    return str(best) if is_frequent and share >= _LEAD * second else None
