"""Do what a command asks for: the layer between the command line and the parts of the product.

services.runs              starts or resumes a run
services.workflows         finds the parts of a run by its id, and executes it
services.plan              plans a run, without agent and teacher
services.execution         runs the loop of one run, and records how it ends
services.suite_reports     remembers the suite's reports of an attempt that is not complete
services.ended_run         describes a run that has ended, for the advice to a person
services.failure_advice    says what may help after a run that was not solved
services.denied_calls      finds the permission that may be offered for a denied tool call
services.next_steps        says at the end of a run what changed, and what to do next
services.wiring            builds agent, suite and guard as the configuration says
services.suite_choice      chooses the command of the tests, or says why none is clear
services.suite_trial       lets pytest collect the cases of a detected command
services.teacher_wiring    builds the teacher, metered
services.trust             uses of a project's own file only what is harmless or trusted
services.trust_requests    lists what a project asks for that needs the user's trust
services.project_settings  reports what a project's own files decide or run
services.rulebooks         opens a project's rulebook
services.run_environment   stores the environment variables that a run depends on
services.recovery          cleans up after killed runs of a project
services.isolation         gives a run a git work tree of its own
services.private_files     returns learned rules to files that git does not track
services.late_secrets      masks what was stored before a secret was known
services.pruning           removes old runs
services.failure_reports   teaches a mistake that a person reports
services.pending_failures  teaches failures that no teacher could be asked about
services.teacher_check     sends a sample failure to the teacher
services.teacher_notices   reports settings that have no effect with a webhook
services.workflow_check    checks the version, the token and the executions of a workflow
services.workflow_exports  compares an exported workflow with the shipped one
services.demo              runs the loop on an example, with a scripted model
"""
