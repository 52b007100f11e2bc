"""`stockroom vacuum` counts what it deleted, each count with its noun in the right number."""

from orchestration.cli import output
from orchestration.cli.vacuum import show
from orchestration.vacuum import VacuumReport


def test_counts_are_aligned_and_have_their_nouns(capsys, monkeypatch):
    monkeypatch.setattr(output.console, "_width", 80)
    show(
        VacuumReport(
            dry_run=False,
            releases=[3],
            checkpoints=[],
            snapshots_expired=[1, 2],
            lake_files=1,
            vector_tables=["a"],
            vector_versions=0,
            text_versions=2,
            rankers=["a"],
            encoders=[],
            embeddings=1234,
            runs=1,
            online_rows=1,
            release=3,
            bytes_before=3_000_000,
            bytes_after=1_000_000,
        )
    )
    assert capsys.readouterr().out.splitlines() == [
        "deleted              1 vector table",
        "deleted              2 versions of the text index",
        "deleted              1 ranker",
        "deleted          1,234 cached embeddings",
        "deleted              1 row for lookups",
        "deleted              1 run in the run log",
        "deleted              2 snapshots of the lake",
        "deleted              1 file of the lake",
        "kept         releases 3",
        "kept         checkpoints none",
        "on disk      1.0 MB, 2.0 MB less",
    ]
