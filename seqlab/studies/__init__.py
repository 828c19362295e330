"""Studies: questions about trainings that are answered by trying. Checking one before it starts, tuning its settings,
and comparing what came of several."""
