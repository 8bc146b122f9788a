"""The stand-in for QuizMentor, the application that is scaled: its load and its metrics."""
