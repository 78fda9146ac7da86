"""The rules of the shell, as every Bazel from 4 on has them under @rules_shell."""

load("@rules_shell//shell:sh_binary.bzl", _sh_binary = "sh_binary")
load("@rules_shell//shell:sh_test.bzl", _sh_test = "sh_test")

sh_binary = _sh_binary
sh_test = _sh_test
