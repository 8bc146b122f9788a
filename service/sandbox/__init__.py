"""The sandbox: a stand-in cloud, on which runbookd acts without a real account.

The vendors' own SDKs talk to it over real HTTP. It has state, takes time, and refuses what the
vendors refuse. It simulates QuizMentor, so that Prometheus can see the effect of an action. It
imports nothing else of the service. It is written from the vendors' documents alone, so that an
error in a provider cannot be in the sandbox too.
"""
