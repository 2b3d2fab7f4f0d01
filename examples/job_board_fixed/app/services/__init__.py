"""What the board does."""
