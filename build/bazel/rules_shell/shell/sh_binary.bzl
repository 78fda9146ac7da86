"""The native rule under the name that rules_shell gives it."""

sh_binary = native.sh_binary
