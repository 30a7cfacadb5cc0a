"""What is written for people and programs: predictions, overlays, the manifest."""
