"""The teacher turns a failure into a lesson: one small rule, or the decision that there is none.

    teacher.models            `Failure`, `KnownRule`, `Lesson`: its input and output
    teacher.errors            the errors that it raises
    teacher.catalog           model aliases, and replacements for retired models
    teacher.prompt            build the request for a model
    teacher.secret            read API keys and tokens
    teacher.web_token         sign a JSON Web Token, in place of a token that is sent
    teacher.address           format an address without user, password and query
    teacher.connection        choose proxy and certificates, and check them
    teacher.deadline          bound the time of a whole request
    teacher.http_client       send one HTTP request, and classify what happens to it
    teacher.retry             retry a request, with a limit
    teacher.local             `LocalTeacher`: asks Anthropic's API
    teacher.claude            `ClaudeTeacher`: asks through the Claude Code program
    teacher.webhook           `WebhookTeacher`: asks an n8n workflow
    teacher.webhook_client    ... send one request to the webhook
    teacher.webhook_replies   ... find out who sent an answer without a lesson
    teacher.webhook_retries   ... decide what is tried again, and what may have cost
    teacher.refusals          ... explain an answer without a lesson
    teacher.unreachable       ... explain that there is no answer
    teacher.wrapped_answer    ... find the lesson in what n8n's nodes put around it
    teacher.answer            parse an answer into a lesson
    teacher.second_look       ask whether a rule alone is about code
    teacher.bill              read what an answer cost
    teacher.prices            calculate what the tokens cost
    teacher.workflow          fill the templates of the n8n workflows in `teacher/n8n/`
    teacher.workflow_export   read a workflow that n8n has exported
    teacher.workflow_changes  compare it with the shipped one, and update it
    teacher.earlier_workflows what earlier versions of the workflows had
    teacher.strangers         find out whether a webhook answers without its token
    teacher.saved_executions  find out whether n8n saves executions
    teacher.fake              `ScriptedTeacher`, for tests

Import from these modules; this one imports nothing, so that using the models does not load an SDK.
"""
