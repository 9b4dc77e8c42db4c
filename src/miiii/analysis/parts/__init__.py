"""A model's parts one by one: neurons, embeddings, singular values, attention, gradients."""
