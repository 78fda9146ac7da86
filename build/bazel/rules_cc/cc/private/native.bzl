"""The native providers: a file that names one CcInfo cannot read Bazel's."""

NativeCcInfo = CcInfo
