"""Every claim and question with its threshold and its reason, and the published numbers."""
