"""Analysis applied to runs: records, stored measurements, certificates, comparisons."""
