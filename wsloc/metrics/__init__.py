"""How right a box is: pure functions on arrays and records."""
