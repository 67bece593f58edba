"""The teacher turns a failure into a lesson: one small rule, or the decision that there is none.

    teacher.models          `Failure`, `KnownRule`, `Lesson`: its input and output
    teacher.errors          the errors that it raises
    teacher.catalog         model aliases, and replacements for retired models
    teacher.prompt          build the request for a model
    teacher.secret          read API keys and tokens
    teacher.connection      choose proxy and certificates, and check them
    teacher.deadline        bound the time of a whole request
    teacher.retry           retry a request, with a limit
    teacher.local           `LocalTeacher`: asks Anthropic's API
    teacher.webhook         `WebhookTeacher`: asks an n8n workflow
    teacher.wrapped_answer  find the lesson in what n8n's nodes put around it
    teacher.refusals        explain an n8n answer that is an error
    teacher.answer          parse an answer into a lesson
    teacher.second_look     ask whether a rule alone is about code
    teacher.bill            read what an answer cost
    teacher.prices          calculate what the tokens cost
    teacher.workflow        fill the templates of the n8n workflows in `teacher/n8n/`
    teacher.fake            `ScriptedTeacher`, for tests

Import from these modules; this one imports nothing, so that using the models does not load an SDK.
"""
