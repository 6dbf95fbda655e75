"""What can be asked of a language model: one small interface, several backends, a cache, a budget."""
