"""The stand-in cloud: what runbookd acts on when no real account is at hand.

The vendors' own SDKs talk to it over real HTTP. It keeps state, takes time, refuses what the
vendors refuse, and simulates QuizMentor so that an action has an effect that Prometheus can see.
It imports nothing else of the service: what it says of a vendor is its own reading of the
vendor's documents, so that an error in a provider cannot hide in it too.
"""
