"""Models that count: Kneser-Ney n-grams, and mixtures of models."""
