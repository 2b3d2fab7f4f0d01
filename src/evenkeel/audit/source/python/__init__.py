"""Python: `reader` turns a file into facts, `effects/*.toml` says what its libraries do."""
