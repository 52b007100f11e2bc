"""Settings of `stockroom serve`: the address, the tokens, and the limits of a request."""

from pydantic import BaseModel, ConfigDict, Field, SecretStr

TOKENS = ("read_token", "delta_token")
"""The settings that only the environment may give: a token in a file of the home would be copied with it."""


class ServeSettings(BaseModel):
    """Set where the HTTP service listens, who may use it, and how much one request may ask for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field(
        "127.0.0.1", min_length=1, description="Address to listen on; one that other machines reach needs a read_token."
    )
    port: int = Field(8808, ge=1, le=65535, description="Port to listen on.")
    workers: int = Field(1, ge=1, le=64, description="Number of processes that answer requests.")
    read_token: SecretStr | None = Field(
        None,
        description="Token that a request has to bring to read, at least 16 characters; only as an environment variable. "
        "None: whoever reaches the port may read.",
    )
    delta_token: SecretStr | None = Field(
        None,
        description="Token that a request has to bring to post deltas, which may read too; only as an environment variable.",
    )
    threads: int = Field(8, ge=1, le=256, description="Number of requests that one process computes at the same time.")
    max_waiting: int = Field(
        256,
        ge=1,
        description="Number of requests that may wait for a thread; a further one is told to come again later.",
    )
    request_s: float = Field(30.0, gt=0, description="Time within which a request is answered, in seconds.")
    delta_s: float = Field(
        600.0, gt=0, description="Time that a request which posts deltas waits for their release, in seconds."
    )
    body_s: float = Field(
        30.0, gt=0, description="Time within which the head of a request and its body arrive, in seconds."
    )
    max_body_mb: float = Field(64.0, gt=0, description="Size of the largest body, in megabytes.")
    show_images: bool = Field(
        False,
        description="Whether the page shows the catalog's images, which come from other hosts; else it links to them.",
    )
    feedback: bool = Field(
        False,
        description="Whether to keep what visitors of the page were shown and clicked, as a log of clicks in feedback/.",
    )
    max_feedback_mb: float = Field(
        1_000.0, gt=0, description="Size of feedback/ from which on no further event is kept, in megabytes."
    )
    refresh_s: float = Field(0.25, gt=0, description="Time between two looks for a new release, in seconds.")
