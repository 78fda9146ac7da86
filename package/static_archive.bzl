"""One static archive out of a library and all that it is made of."""

load("//build/rules:toolchain.bzl", "CC_TOOLCHAIN_ATTRS", "CcInfo", "find_cc_toolchain", "use_cc_toolchain")

def _static_archive_impl(ctx):
    """NAME.a has the position-independent objects; NAME.libs the flags that a program needs beside it.

    NAME.private_libs has what those libraries need themselves where they are static as well."""
    archives = []
    flags = []
    for dep in ctx.attr.deps:
        for linker_input in dep[CcInfo].linking_context.linker_inputs.to_list():
            flags.extend(linker_input.user_link_flags)
            for library in linker_input.libraries:
                archive = library.pic_static_library or library.static_library
                if archive:
                    archives.append(archive)

    merged = ctx.actions.declare_file(ctx.label.name + ".a")
    libs = ctx.actions.declare_file(ctx.label.name + ".libs")
    script = ctx.actions.declare_file(ctx.label.name + ".mri")
    lines = ["create " + merged.path]
    lines += ["addlib " + archive.path for archive in archives]
    lines += ["save", "end", ""]
    ctx.actions.write(script, "\n".join(lines))
    ctx.actions.write(libs, " ".join(flags) + "\n")
    private_libs = ctx.actions.declare_file(ctx.label.name + ".private_libs")
    ctx.actions.write(private_libs, " ".join(ctx.attr.private_libs) + "\n")
    toolchain = find_cc_toolchain(ctx)
    ctx.actions.run_shell(
        inputs = depset(archives + [script], transitive = [toolchain.all_files]),
        outputs = [merged],
        # ar takes a name with a plus sign in a script for two words, and is quiet about failure.
        command = "%s -M < %s && test -s %s" % (toolchain.ar_executable, script.path, merged.path),
        mnemonic = "MergeArchives",
    )
    files = depset([merged, libs, private_libs])
    return [DefaultInfo(files = files, runfiles = ctx.runfiles(transitive_files = files))]

static_archive = rule(
    implementation = _static_archive_impl,
    attrs = dict({
        "deps": attr.label_list(providers = [CcInfo]),
        "private_libs": attr.string_list(),
    }, **CC_TOOLCHAIN_ATTRS),
    toolchains = use_cc_toolchain(),
)
