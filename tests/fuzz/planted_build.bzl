"""Programs whose library has planted bugs: built from @fuzz_mutants, quickly."""

def _with_bugs(settings, attr):
    # The bugs have to be there, not to be quick.
    flags = ["-O1", "-g0"]
    return {"//command_line_option:copt": settings["//command_line_option:copt"] + flags}

_bugs = transition(
    implementation = _with_bugs,
    inputs = ["//command_line_option:copt"],
    outputs = ["//command_line_option:copt"],
)

def _planted_program_impl(ctx):
    program = ctx.actions.declare_file(ctx.label.name)
    ctx.actions.symlink(
        output = program,
        target_file = ctx.executable.program,
        is_executable = True,
    )
    runfiles = ctx.attr.program[0][DefaultInfo].default_runfiles
    return [DefaultInfo(executable = program, runfiles = runfiles)]

planted_program = rule(
    implementation = _planted_program_impl,
    executable = True,
    attrs = {
        "program": attr.label(cfg = _bugs, executable = True, mandatory = True),
        "_allowlist_function_transition": attr.label(
            default = "@bazel_tools//tools/allowlists/function_transition_allowlist",
        ),
    },
)
