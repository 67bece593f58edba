"""Keep the changes that wait for a person, whatever their source: one queue.

models        what a proposal is
records       stores and finds proposals
skills        drafts and writes a skill
permissions   drafts and writes permission rules
checks        drafts a check for a rule that is broken again
decisions     accepts, edits and rejects
"""
