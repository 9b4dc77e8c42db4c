"""Other tools' models as runs, all of it without JAX, whose start takes longer.

Reading: `checkpoint_file` with `torch_file`, `inert_pickle`, `safetensors_file`, `file_states`,
`losses`, `training_pairs` and `expected_logits`; `descriptions` says what files without a model
are. Into this project's terms: `state_names`, `layouts`, `foreign_settings`, `shapes`, `biases`,
`conversion`. Into a run: `plain_transformer`, `drawn_split`, `imported_history`, `importing`.
"""
