"""What every table asset shares: definition, result, checks and lineage."""
