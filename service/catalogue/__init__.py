"""All that is known of each kind of target and of each action on it.

Plans are pure; steps look, then act. A kind knows its port and no vendor's SDK.
"""
