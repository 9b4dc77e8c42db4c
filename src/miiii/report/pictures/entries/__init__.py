"""From runs to pictures with captions, grouped as the paper's sections are."""
