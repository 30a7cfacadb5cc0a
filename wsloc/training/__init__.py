"""What the trainer is made of: its records, its files, and one epoch."""
