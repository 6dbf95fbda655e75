"""Rankings and reasons for human eyes: terminal tables and the self-contained HTML report."""
