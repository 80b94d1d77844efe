"""The CRM's facts: built-in models, `Source` for any host's own models, importers and snapshots."""
