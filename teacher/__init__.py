"""The teacher turns a failure into a lesson: one small rule, or the decision that there is none.

    teacher.models      `Failure`, `KnownRule`, `Lesson`: its input and output
    teacher.errors      the errors that it raises
    teacher.catalog     model aliases, and replacements for retired models
    teacher.prompt      build the request for a model
    teacher.secret      read API keys and tokens
    teacher.loopback    bypass the proxy for servers on this machine
    teacher.retry       retry a request, with a limit
    teacher.local       `LocalTeacher`: asks Anthropic's API
    teacher.webhook     `WebhookTeacher`: asks an n8n workflow
    teacher.answer      parse an answer into a lesson
    teacher.prices      calculate what the tokens cost
    teacher.workflow    fill the templates of the n8n workflows in `teacher/n8n/`
    teacher.fake        `ScriptedTeacher`, for tests

Import from these modules; this one imports nothing, so that using the models does not load an SDK.
"""
