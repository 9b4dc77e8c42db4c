"""Make runs of other tools' models, without JAX, which takes longer to start than an import.

`checkpoint_file` reads a file, with `torch_file`, `inert_pickle`, `safetensors_file`,
`file_states`, `losses`, `training_pairs` and `expected_logits`; `descriptions` describes files
without a model. `conversion` translates the model, with `state_names`, `layouts`,
`foreign_settings`, `shapes` and `biases`. `importing` writes the run, with `plain_transformer`,
`drawn_split` and `imported_history`.
"""
