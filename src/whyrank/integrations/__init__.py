"""whyrank inside other frameworks: each module is one, and imports that framework only when it is itself imported.

langchain.py       `WhyrankCompressor`, a BaseDocumentCompressor
llama_index.py     `WhyrankPostprocessor`, a BaseNodePostprocessor
haystack.py        `WhyrankRanker`, a component
pyterrier.py       `WhyrankTransformer`, a Transformer
dspy.py            `WhyrankReranker`, a module that reranks what a retriever finds
cross_encoder.py   `CrossEncoderLike`, with `predict` and `rank` as sentence-transformers has them

reranked.py        what they share

Each returns the framework's own documents, those it was given and no others, best first. A score stands where the
framework keeps the score of a reranker; reasons stand in the metadata, under `whyrank_reason`, `whyrank_quote` and
`whyrank_comparison`.
"""
