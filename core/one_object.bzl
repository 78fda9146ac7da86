"""Both libraries of the core, out of one object in which only the functions of the C face have names."""

load("//build/rules:toolchain.bzl", "CC_TOOLCHAIN_ATTRS", "CcInfo", "find_cc_toolchain", "use_cc_toolchain")

# What docs/packaging.md says of the two is done here and, by the same commands, in cmake/core.cmake. The shared one
# has in it what it uses of libstdc++ and libgcc: to load these takes longer than all else at a program's start.
_COMMANDS = """
set -eu
# Groups of sections that a linker may find twice are dissolved: it would take another library's.
"{ld}" -r --force-group-allocation -o "{object}.all" --whole-archive "{archive}"
"{objcopy}" --wildcard --keep-global-symbol="ebcache_*" "{object}.all" "{object}"
"{ar}" rcsD "{static}" "{object}"
"{cc}" -shared -o "{shared}" "{object}" {flags} -Wl,-soname,{soname} \
  -Wl,--version-script,"{map}" -Wl,--no-undefined -Wl,-z,relro,-z,now -Wl,--as-needed \
  -Wl,--gc-sections -Wl,--hash-style=gnu -Wl,-O1 \
  -static-libgcc -Wl,-Bstatic -lstdc++ -Wl,-Bdynamic -lm
rm "{object}.all"
"""

def _one_object_impl(ctx):
    toolchain = find_cc_toolchain(ctx)
    archives = [
        library.pic_static_library or library.static_library
        for linker_input in ctx.attr.library[CcInfo].linking_context.linker_inputs.to_list()
        for library in linker_input.libraries
    ]
    if len(archives) != 1:
        fail("one library, which stands on no other: %s" % archives)
    static = ctx.actions.declare_file(ctx.label.name + ".a")
    shared = ctx.actions.declare_file("%s.so.%s" % (ctx.label.name, ctx.attr.version))
    object = ctx.actions.declare_file(ctx.label.name + ".o")
    ctx.actions.run_shell(
        inputs = depset(
            archives + [ctx.file.version_script],
            transitive = [toolchain.all_files],
        ),
        outputs = [static, shared, object],
        command = _COMMANDS.format(
            ar = toolchain.ar_executable,
            archive = archives[0].path,
            cc = toolchain.compiler_executable,
            # Of sanitizers, where there are any.
            flags = " ".join([flag for flag in ctx.fragments.cpp.linkopts if "sanitize" in flag]),
            ld = toolchain.ld_executable,
            map = ctx.file.version_script.path,
            objcopy = toolchain.objcopy_executable,
            object = object.path,
            shared = shared.path,
            soname = ctx.attr.soname,
            static = static.path,
        ),
        mnemonic = "OneObject",
        # The linker driver looks for the compiler's own programs.
        use_default_shell_env = True,
    )
    files = depset([static, shared])
    return [
        DefaultInfo(files = files, runfiles = ctx.runfiles(transitive_files = files)),
        OutputGroupInfo(static = depset([static])),
    ]

one_object = rule(
    implementation = _one_object_impl,
    attrs = dict({
        "library": attr.label(providers = [CcInfo]),
        "soname": attr.string(mandatory = True),
        "version": attr.string(mandatory = True),
        "version_script": attr.label(allow_single_file = True),
    }, **CC_TOOLCHAIN_ATTRS),
    fragments = ["cpp"],
    toolchains = use_cc_toolchain(),
)
