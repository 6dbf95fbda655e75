"""Everything that puts candidates into a better order."""
