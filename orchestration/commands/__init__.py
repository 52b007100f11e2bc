"""The logic of the CLI commands, without terminal input or output; one module per command."""
