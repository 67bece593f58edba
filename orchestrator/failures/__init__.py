"""Build a `Failure` for the teacher from any source, within the size of a model's request.

suite_failure   from a red suite; also the prompt of the next attempt
manual_failure  from a person's report
finding_evidence ... what of a guard's finding makes the fingerprint
log_excerpt     ... an excerpt of the suite's output
patch_excerpt   ... an excerpt of the changes
record_masking  masks results, events, reports and failures before they are stored or sent
patch_masking   masks and shortens a stored patch
"""
