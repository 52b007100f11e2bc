"""Meanings of columns: the names under which shops, feeds and logs export what a declaration calls title, brand or query."""

import re
from collections.abc import Mapping, Sequence

PRODUCT_NAMES: Mapping[str, str] = {
    "product_id": "product_id product_uid parent_id parent_sku parent_asin product_ref product_code item_group_id handle asin "
    "sku item_sku seller_sku item_id article_id artikelnummer id_product entity_id ref reference code id gtin ean upc "
    "doc_id docid document_id corpus_id",
    "title": "product_title title product_name name item_name item_title titel titre titulo titulo_producto nombre nom "
    "bezeichnung produktname designation productnaam nazwa 商品名 名称 タイトル",
    "brand": "product_brand brand brand_name brands vendor manufacturer maker make "
    "marke hersteller marque fabricant marca merk merke marki varumärke ブランド 品牌",
    "color": "product_color color colour color_name farbe couleur colore cor kleur farve färg kolor 色 颜色",
    "bullet_points": "product_bullet_point bullet_points bullet_point bullets highlights features key_features",
    "description": "product_description description body_html body description_html long_description full_description text "
    "beschreibung descripcion descrizione descricao 説明 商品説明 描述",
    "locale": "product_locale locale lang language marketplace market country country_code sprache langue idioma",
}
"""The usual names of the columns of a products file, the likeliest first."""

_QUERY = "query query_text search_query query_string user_query search_phrase search_term searchterm suchbegriff"
SURE_QUERY_NAMES: Mapping[str, str] = {"query": _QUERY}
"""The names of a query that a column of a products file does not have."""

QUERY_NAMES: Mapping[str, str] = {
    "query": f"{_QUERY} keywords keyword search q term text",
    "product_id": PRODUCT_NAMES["product_id"],
    "label": "esci_label label grade relevance relevance_label rel judgement judgment rating score qrel",
    "locale": PRODUCT_NAMES["locale"],
    "query_id": "query_id queryid qid topic_id",
    "example_id": "example_id",
    "split": "split subset fold_name",
    "small_version": "small_version",
    "large_version": "large_version",
    "event_time": "event_time timestamp time ts datetime date created_at judged_at",
    "context_key": "context_key",
}
"""The usual names of the columns of a judgements file."""

CLICK_NAMES: Mapping[str, str] = {
    "query": QUERY_NAMES["query"],
    "product_id": QUERY_NAMES["product_id"],
    "locale": QUERY_NAMES["locale"],
    "event_time": QUERY_NAMES["event_time"],
    "event": "event event_type event_name action type",
    "impressions": "impressions impression shown views viewed displays",
    "clicks": "clicks clicked click is_click",
    "carts": "carts added_to_cart add_to_cart cart atc carted is_cart",
    "orders": "orders ordered order purchases purchased purchase bought conversions is_purchase",
}
"""The usual names of the columns of a click log."""


def find(names: Sequence[str], usual: Mapping[str, str]) -> dict[str, str]:
    """Return the column of a file for each meaning that one of its names stands for; a column has one meaning.

    Names are compared by letters and digits alone, without case. Of a nested path the last part counts too, unless the part
    before it has another meaning; then brand.name is a brand. So does a name without its namespace, as in g:title.
    """
    found: dict[str, str] = {}
    words = {meaning: [_plain(word) for word in text.split()] for meaning, text in usual.items()}
    meanings = {word: meaning for meaning, own in reversed(words.items()) for word in own}
    for rank in range(3):
        for meaning in usual:
            for word in words[meaning] if meaning not in found else ():
                same = (name for name in names if _stands_for(name, word, rank, meanings))
                name = next((each for each in same if each not in found.values()), None)
                if name is not None:
                    found.setdefault(meaning, name)
    return {meaning: found[meaning] for meaning in usual if meaning in found}


def columns_for(names: Sequence[str], words: str) -> list[str]:
    """Return all columns that one of some words stands for, in the order of the words."""
    usual = {"meaning": words}
    found: list[str] = []
    while column := find([name for name in names if name not in found], usual).get("meaning"):
        found.append(column)
    return found


def language_of(name: str) -> str | None:
    """Return the language of a nested text, such as de-AT of title.de-AT; None where the path does not end in one."""
    tag = re.search(r"\.([a-z]{2}(?:[-_](?:[A-Z]{2}|[A-Z][a-z]{3}))?)$", name)
    return tag[1] if tag and tag[1] not in ("id", "no") else None


_LABELS = ("name", "title", "label", "value", "text")


def _stands_for(name: str, word: str, rank: int, meanings: Mapping[str, str]) -> bool:
    """Tell whether a name is a word: as a whole, as the label of an object of this name, or by its last part."""
    *before, last = map(_plain, re.split(r"[.:]", name))
    parent = before[-1] if before else ""
    if rank == 0:
        return _plain(name) == word
    if rank == 1:
        return parent == word and (last in _LABELS or language_of(name) is not None)
    return last == word and (parent not in meanings or meanings[parent] == meanings[word])


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.casefold())
