"""Seeds as their trainers read them: one file a format."""
