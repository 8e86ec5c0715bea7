"""What a trigger shows of itself."""
