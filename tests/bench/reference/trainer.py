"""Train with SentenceTransformerTrainer on pairs of texts: arguments are the encoder's folder and a number of threads.

Prints JSON: pairs, seconds of wall time and of CPU time of a fully trained encoder and of a frozen one below a dense layer.
"""

import json
import os
import sys
import tempfile
import time

os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")

import torch
from datasets import Dataset
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.losses import MultipleNegativesRankingLoss
from sentence_transformers.models import Dense

PAIRS, BATCH, WORDS = 256, 64, ("steel", "blue", "tent", "for", "two", "kitchen", "light", "with", "case", "set", "red")


def pairs() -> Dataset:
    """Return queries of three words, and products of forty: of a title's and some bullet points' length."""

    def text(first: int, words: int) -> str:
        return " ".join(f"{WORDS[(first * step + step) % len(WORDS)]} {first % 97}" for step in range(words))

    return Dataset.from_dict(
        {"query": [text(row, 3) for row in range(PAIRS)], "product": [text(row, 40) for row in range(PAIRS)]}
    )


def measure(folder: str, frozen: bool) -> dict[str, float]:
    """Train one epoch and return what it took, without what comes before and after the steps."""
    model = SentenceTransformer(folder, device="cpu", local_files_only=True)
    if frozen:
        model[0].requires_grad_(False)
        width = model.get_sentence_embedding_dimension()
        model.append(Dense(width, width))
    with tempfile.TemporaryDirectory() as output:
        arguments = SentenceTransformerTrainingArguments(
            output_dir=output,
            num_train_epochs=1,
            per_device_train_batch_size=BATCH,
            save_strategy="no",
            logging_strategy="no",
            report_to=[],
            disable_tqdm=True,
            use_cpu=True,
        )
        trainer = SentenceTransformerTrainer(
            model=model, args=arguments, train_dataset=pairs(), loss=MultipleNegativesRankingLoss(model)
        )
        cpu = time.process_time()
        wall = trainer.train().metrics["train_runtime"]
    return {"pairs": PAIRS, "wall": wall, "cpu": time.process_time() - cpu}


if __name__ == "__main__":
    torch.set_num_threads(int(sys.argv[2]))
    print(json.dumps({name: measure(sys.argv[1], name == "frozen encoder") for name in ("full", "frozen encoder")}))
