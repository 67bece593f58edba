"""The teacher: from a failure to a lesson.

    teacher.models      what goes in and what comes out; `Failure`, `Lesson`
    teacher.errors      what can keep it from answering
    teacher.local       `LocalTeacher`: the Anthropic SDK
    teacher.webhook     `WebhookTeacher`: an n8n workflow
    teacher.fake        `ScriptedTeacher`: for the tests of whoever uses a teacher
    teacher.prompt      what a model is asked
    teacher.answer      how its words become a lesson
    teacher.catalog     which model is asked, and what replaces a retired one
    teacher.prices      what its tokens cost

Import from these modules; this one imports nothing, so that looking at a model costs no SDK.
"""
