"""Unknown tokens: how much of each locale's titles the encoder cannot read."""

from models.encoder import unknown_tokens
from warehouse.features import datasets
from warehouse.home import Home

_TITLES = 1_000


def unknown_shares(home: Home, encoder: str) -> dict[str, float]:
    """Return the share of unknown tokens in titles by locale, 0 to 1, measured on up to 1,000 titles of each locale.

    `encoder` is a fingerprint. A locale is left out where its titles have no token; all are, where the home has no converted
    encoder of the fingerprint.
    """
    tokenizer = unknown_tokens.saved_tokenizer(home.encoders / encoder)
    if tokenizer is None:
        return {}
    shares = {
        locale: unknown_tokens.unknown_share(tokenizer, titles["title"].to_list())
        for (locale,), titles in datasets.sampled_titles(home.lake, _TITLES).sort("locale").group_by("locale")
    }
    return {str(locale): share for locale, share in sorted(shares.items()) if share is not None}
