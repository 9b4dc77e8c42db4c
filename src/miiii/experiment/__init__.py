"""Training: batches that share a program, saves between chunks, start, resume, stored runs."""
