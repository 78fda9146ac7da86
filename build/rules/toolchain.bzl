"""What rules of our own need of the C++ toolchain."""

load("@rules_cc//cc:find_cc_toolchain.bzl", _find_cc_toolchain = "find_cc_toolchain", _use_cc_toolchain = "use_cc_toolchain")
load("@rules_cc//cc/common:cc_info.bzl", _CcInfo = "CcInfo")

CcInfo = _CcInfo
find_cc_toolchain = _find_cc_toolchain
use_cc_toolchain = _use_cc_toolchain

# Of every such rule: Bazel before 7 finds the toolchain by it.
CC_TOOLCHAIN_ATTRS = {
    "_cc_toolchain": attr.label(default = "@rules_cc//cc:current_cc_toolchain"),
}
