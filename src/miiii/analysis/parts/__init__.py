"""The parts of a model one by one: neurons, embeddings, singular values, attention, gradients."""
