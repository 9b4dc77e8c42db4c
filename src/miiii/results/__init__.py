"""What analysis says of a run: records, measurements beside it, certificates, comparisons."""
