"""From the dataset's rows to arrays: histories of visits, vocabularies, batches, features."""
