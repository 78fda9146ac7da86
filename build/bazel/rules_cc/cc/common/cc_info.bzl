"""The native provider under the name that rules_cc gives it."""

load("//cc/private:native.bzl", "NativeCcInfo")

CcInfo = NativeCcInfo
