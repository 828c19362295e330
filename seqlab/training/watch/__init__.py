"""What is measured while training: metrics, validation, costs, time by part."""
