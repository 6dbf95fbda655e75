"""Sentences and terms of a text, with exact offsets. Pure."""
