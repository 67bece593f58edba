"""Carries one task to an outcome.

run_loop          the order of things; read it first
steps             one method for each step, remembered by the journal
masked_suite      runs the suite, without secrets in its reports
patches           writes patches, without secrets
reverts           reverts the edits of failed and of interrupted attempts
experiments       prepares the comparison that judges an attempt
pins              describes the tree that is stored for a learned rule
policy            what the next attempt is asked, and when the run ends
stuck             ends a run whose attempts bring nothing new
values            values that one step passes on to later ones
notices           texts of the notices
counting_journal  counts the steps that were done, and not just remembered
"""
