"""The first stage: candidates from a collection."""
