"""The repositories of repositories.bzl, for MODULE.bazel."""

load("//build/libs:system.bzl", "system")
load(":repositories.bzl", "mutant_repositories")

def _repositories_impl(_):
    system(name = "system")
    mutant_repositories()

repositories = module_extension(implementation = _repositories_impl)
