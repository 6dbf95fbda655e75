"""Collections of queries, documents and judgements."""
