"""Doors to other tools: runs written in their formats, and their models read as runs.

Modules: `names` (what TransformerLens calls our weights), `transformer_lens`, `numpy_file`,
`model_folder` and `history_table` (what is written), `torch_file`, `checkpoint_file`, `conversion`
and `importing` (what is read).
"""
