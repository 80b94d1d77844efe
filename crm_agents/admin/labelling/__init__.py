"""The pages of human labelling: sets, the keyboard-driven queue, disputes, likely errors, files."""
