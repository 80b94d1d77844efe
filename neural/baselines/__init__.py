"""What the models have to beat, computed on the same split in the same run."""
