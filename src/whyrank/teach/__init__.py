"""Teachers: who ranked which candidates, with which reasons, asked for durably and kept as records."""
