"""The embedded body: text to vectors, the same bits whatever the batch."""
