"""How well a student answers: matching, intervals, references, metrics, speed."""
