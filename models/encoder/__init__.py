"""The frozen text encoder: loading, fingerprints and two back ends."""
