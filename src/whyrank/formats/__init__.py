"""Reading and writing queries, documents, runs and results."""
