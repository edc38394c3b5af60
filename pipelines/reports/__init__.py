"""What is shown and billed to nobody: simulations, previews, margin, FOCUS."""
