"""Declared sources: which files hold a catalog or its judgements, and which of their columns mean what."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from warehouse.contracts.registry import CONTRACTS

Kind = Literal["products", "details", "judgements", "queries", "clicks"]
Format = Literal["parquet", "csv", "json"]
Quoting = Literal["doubled", "backslash", "none"]
Label = Literal["E", "S", "C", "I"]
AttributeType = Literal["text", "number", "money", "boolean", "date", "category", "category_path", "url", "list"]

REQUIRED: Mapping[Kind, tuple[str, ...]] = {
    "products": ("product_id", "title"),
    "details": ("product_id",),
    "judgements": ("product_id", "label"),
    "queries": ("query_id", "query"),
    "clicks": ("query", "product_id"),
}
"""The columns that a source of each kind must declare. Judgements need query or query_id besides."""

OPTIONAL: Mapping[Kind, tuple[str, ...]] = {
    "products": ("locale", "brand", "color", "bullet_points", "description"),
    "details": ("locale", "brand", "color", "bullet_points", "description"),
    "judgements": (
        *(
            "query",
            "locale",
            "query_id",
            "example_id",
            "split",
            "small_version",
            "large_version",
            "event_time",
            "context_key",
        ),
    ),
    "queries": ("locale", "split"),
    "clicks": ("locale", "event_time", "event", "impressions", "clicks", "carts", "orders"),
}
"""The columns that a source of each kind may declare."""

_NAME = r"^[a-z][a-z0-9_]{0,40}$"
OWN_COLUMNS = frozenset(
    (
        *("key", "entity_key", "event_time", "input_hash", "row", "as_of", "product_id", "locale"),
        *("op", "newest", "delta_row", "product_locale"),
    )
) | frozenset((*CONTRACTS["staging.products"].columns, *CONTRACTS["features.products"].columns))
"""The columns that a product has beside its attributes."""


_NUMBERS = ("number", "money", "boolean", "date")  # types that a model can read as numbers


class _Declared(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Constant(_Declared):
    """Give every row of a source the same value."""

    constant: str = Field(min_length=1, description="The value of every row.")


Column = Annotated[str, Field(min_length=1)] | tuple[str, ...] | Constant
"""A column of a file by its name, or by its path in nested values; several, whose values are joined; or a constant."""


class Attribute(_Declared):
    """Declare a further column of a products file."""

    name: str = Field(pattern=_NAME, description="Name of the attribute: small letters, digits and underscores.")
    column: Column | None = Field(None, description="Column of the file; default: the name.")
    type: AttributeType = Field("text", description="Type of the values.")
    meaning: str = Field("", description="Meaning of the attribute, with its unit.")
    tower: Literal["numeric", "categorical"] | None = Field(
        None, description="How the product tower reads the attribute; default: it does not."
    )
    rank: bool = Field(
        False, description="Whether the ranker reads the attribute: a number, money, boolean or date; true or false."
    )
    filter: bool = Field(True, description="Whether searches can filter and count by the attribute; true or false.")
    decimal: Literal[".", ","] | None = Field(
        None, description="Decimal sign of numbers and money; default: found out from the values."
    )
    unit: str | None = Field(
        None,
        min_length=1,
        description='Unit of a number, as "kg": it may stand behind each number, and other units of its kind are converted; '
        "default: a number has none.",
    )
    date_order: Literal["dmy", "mdy"] | None = Field(
        None,
        description="Order of day and month in dates such as 3/4/24; default: such a date is refused.",
    )
    separator: str | None = Field(
        None, min_length=1, description="Separator of a list or a category path; default: found out for each value."
    )

    @property
    def has_decimals(self) -> bool:
        """Tell whether the values are numbers or amounts, whose texts have a decimal sign."""
        return self.type in ("number", "money")

    @model_validator(mode="after")
    def _check(self) -> "Attribute":
        if self.name in OWN_COLUMNS:
            raise ValueError(f"a product has a column {self.name} of its own")
        if self.unit is not None and self.type != "number":
            raise ValueError(f"an attribute of type {self.type} has no unit, only one of type number")
        if self.date_order is not None and self.type != "date":
            raise ValueError(f"an attribute of type {self.type} has no date_order, only one of type date")
        if self.rank and self.type not in _NUMBERS:
            raise ValueError(f"the ranker cannot read an attribute of type {self.type}")
        if self.tower == "numeric" and self.type not in _NUMBERS:
            raise ValueError(f"an attribute of type {self.type} cannot be numeric for the tower")
        if self.tower == "categorical" and self.type not in ("text", "category", "category_path"):
            raise ValueError(f"an attribute of type {self.type} cannot be categorical for the tower")
        return self


class Labels(_Declared):
    """Tell how the label column of a judgements file becomes E, S, C or I.

    Either `values` name the spellings of each label, or `thresholds` the lowest grade of E, S and C; a lower grade is I.
    Spellings are compared without case and blanks. Several judgements of one query and product become one by `combine`:
    refuse keeps the first and refuses the others; first keeps the first; best and worst keep the most and the least relevant;
    majority takes the most frequent label, the less relevant of two; mean takes the label of the mean grade, where labels
    have the grades E 3, S 2, C 1, I 0, and a half is rounded down.
    """

    values: dict[Label, tuple[str, ...]] | None = Field(
        None, description='Spellings of each label, as E = ["exact", "yes"]; default: the letters themselves.'
    )
    thresholds: dict[Literal["E", "S", "C"], float] | None = Field(
        None, description="Lowest grade of each label, as E = 3, S = 2, C = 1; a lower grade is I."
    )
    combine: Literal["refuse", "best", "worst", "mean", "majority", "first"] = Field(
        "refuse", description="How several judgements of one query and product become one."
    )

    @model_validator(mode="after")
    def _check(self) -> "Labels":
        if self.values is not None and self.thresholds is not None:
            raise ValueError("give values or thresholds, not both")
        spellings = [{"".join(each.split()).lower() for each in names} for names in (self.values or {}).values()]
        if len(set().union(*spellings)) < sum(map(len, spellings)):
            raise ValueError("a spelling belongs to two labels")
        ordered = (
            [self.thresholds[label] for label in ("E", "S", "C") if label in (self.thresholds or {})]
            if self.thresholds
            else []
        )
        if self.thresholds is not None and (
            "E" not in self.thresholds or ordered != sorted(set(ordered), reverse=True)
        ):
            raise ValueError("thresholds must name E, and fall from E over S to C")
        return self


class Clicks(_Declared):
    """Tell how shown, clicked, carted and ordered products become judgements, counted per query and product.

    E: at least `exact_orders` orders, `exact_carts` carts or `exact_clicks` clicks, and clicks in `exact_rate` of the
    impressions. S: at least `substitute_clicks` clicks. I: shown `min_impressions` times or more without a click. A pair
    that meets none of these is left out.
    """

    events: dict[Literal["impressions", "clicks", "carts", "orders"], tuple[str, ...]] | None = Field(
        None, description="Values of the event column that count as each; needed where the column event is declared."
    )
    exact_orders: int = Field(1, gt=0, description="Number of orders from which on a product is Exact.")
    exact_carts: int = Field(2, gt=0, description="Number of times in a cart from which on a product is Exact.")
    exact_clicks: int | None = Field(
        None,
        gt=0,
        description="Number of clicks from which on a product is Exact; default: clicks alone do not suffice.",
    )
    exact_rate: float = Field(
        0.0, ge=0, le=1, description="Share of the impressions with a click that Exact needs besides, 0 to 1."
    )
    substitute_clicks: int = Field(1, gt=0, description="Number of clicks from which on a product is a Substitute.")
    min_impressions: int = Field(10, gt=0, description="Number of impressions without a click that make Irrelevant.")


class Source(_Declared):
    """Declare files of one kind: where they lie, their format, and the meaning of their columns."""

    kind: Kind = Field(
        description="What a row is: a product, further columns of a product of another source, a judgement, the text of a "
        "query, or an event of a click log."
    )
    files: tuple[str, ...] = Field(
        min_length=1, description="Paths or patterns; a relative one starts at --raw, else at the home."
    )
    format: Format | None = Field(None, description="Format of the files, gzipped or not; default: found out.")
    delimiter: str | None = Field(
        None, min_length=1, max_length=1, description="Delimiter of a csv file; default: found out."
    )
    encoding: str | None = Field(None, description="Encoding of a text file; default: UTF-8, or its byte order mark.")
    quoting: Quoting | None = Field(
        None,
        description="How a quoted field of a csv file has quotation marks: doubled or behind a backslash; none: no field is "
        "quoted; default: found out.",
    )
    header_row: int = Field(1, ge=1, description="Line of a csv file with the names of the columns, from 1.")
    columns: dict[str, Column] = Field(description='Columns of the file by meaning, as title = "Name".')
    attributes: tuple[Attribute, ...] = Field((), description="Further columns of a products file.")
    fold_variants: bool = Field(
        False, description="Whether rows with the same product_id are variants of one product; true or false."
    )
    labels: Labels = Field(Labels(), description="How labels are read; for judgements.")
    clicks: Clicks = Field(Clicks(), description="How events become labels; for clicks.")

    def __hash__(self) -> int:  # the columns are a mapping, which has none
        return hash(self.model_dump_json())

    @model_validator(mode="after")
    def _check(self) -> "Source":
        known = (*REQUIRED[self.kind], *OPTIONAL[self.kind])
        if unknown := [name for name in self.columns if name not in known]:
            raise ValueError(
                f"columns names {unknown[0]}, which a source of {self.kind} does not have; choose from {', '.join(known)}"
            )
        if missing := [name for name in REQUIRED[self.kind] if name not in self.columns]:
            raise ValueError(f"the columns lack {' and '.join(missing)}")
        if self.kind == "judgements" and not {"query", "query_id"} & self.columns.keys():
            raise ValueError("the columns lack query, or query_id with a source of queries")
        if self.attributes and self.kind not in ("products", "details"):
            raise ValueError("only a source of products or of their details has attributes")
        names = [attribute.name for attribute in self.attributes]
        if len(set(names)) < len(names):
            raise ValueError("an attribute is declared twice")
        if "event" in self.columns and self.clicks.events is None:
            raise ValueError("the column event needs clicks.events, which says what its values mean")
        counters = [name for name in ("impressions", "clicks", "carts", "orders") if name in self.columns]
        if "event" in self.columns and counters:
            raise ValueError(f"a row is an event or has counters; declare event or {counters[0]}, not both")
        return self


def _consistent(sources: tuple[Source, ...]) -> tuple[Source, ...]:
    seen: dict[str, Attribute] = {}
    for attribute in (each for source in sources for each in source.attributes):
        first = seen.setdefault(attribute.name, attribute)
        for setting in ("type", "tower", "rank", "filter"):
            if getattr(first, setting) != getattr(attribute, setting):
                raise ValueError(f"the attribute {attribute.name} has another {setting} in another source")
    if sources and not any(source.kind == "products" for source in sources):
        raise ValueError("no source has the kind products")
    kinds = {source.kind for source in sources}
    if "queries" not in kinds and any(
        source.kind == "judgements" and "query" not in source.columns for source in sources
    ):
        raise ValueError("judgements without the column query need a source of queries, with query_id and query")
    return sources


Sources = Annotated[tuple[Source, ...], AfterValidator(_consistent)]
"""All sources that a home declares; none: the files of ESCI."""
