"""Doors to other tools: runs written in their formats, and their models read as runs.

Out: `contents` (what of a run is written), `names` (what TransformerLens calls our weights),
`transformer_lens`, `numpy_file`, `model_folder`, `history_table`, `layout` and `placing`. In:
`torch_file`, `checkpoint_file`, `conversion`, `imported_history`, `importing`.
"""
