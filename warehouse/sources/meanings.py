"""Meanings of columns: the names under which shops, feeds and logs export what a declaration calls title, brand or query."""

import re
from collections.abc import Mapping, Sequence

PRODUCT_NAMES: Mapping[str, str] = {
    "product_id": "product_id parent_id parent_sku product_ref product_code item_group_id handle asin sku item_id article_id "
    "artikelnummer id_product ref reference code id gtin ean upc",
    "title": "product_title title product_name name item_name item_title titel titre titulo titulo_producto nombre nom "
    "bezeichnung produktname designation 商品名 名称 タイトル",
    "brand": "product_brand brand brand_name vendor manufacturer marke hersteller marque fabricant marca ブランド 品牌",
    "color": "product_color color colour color_name farbe couleur colore cor 色 颜色",
    "bullet_points": "product_bullet_point bullet_points bullet_point bullets highlights features key_features",
    "description": "product_description description body_html body description_html long_description full_description "
    "beschreibung descripcion descrizione descricao 説明 商品説明 描述",
    "locale": "product_locale locale lang language marketplace market country country_code sprache langue idioma",
}
"""The usual names of the columns of a products file, the likeliest first."""

QUERY_NAMES: Mapping[str, str] = {
    "query": "query query_text search_query search_term searchterm keywords keyword search q term suchbegriff",
    "product_id": PRODUCT_NAMES["product_id"] + " doc_id docid document_id",
    "label": "esci_label label grade relevance relevance_label judgement judgment rating score qrel",
    "locale": PRODUCT_NAMES["locale"],
    "query_id": "query_id queryid qid topic_id",
    "example_id": "example_id",
    "split": "split subset fold_name",
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

    Names are compared by letters and digits alone, without case; the path of a nested value also by its last part.
    """
    found: dict[str, str] = {}
    for meaning, words in usual.items():
        for whole in (True, False):
            for word in words.split():
                same = (name for name in names if _plain(name if whole else name.split(".")[-1]) == _plain(word))
                name = next((each for each in same if each not in found.values()), None)
                if name is not None:
                    found.setdefault(meaning, name)
            if meaning in found:
                break
    return found


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.casefold())
