"""What came of it: text for people, JSON for programs."""

import collections
import json


def summary(mutants, results, dropped, explained, excluded_tests, seconds, found=0, by_rule=None):
    counts = collections.Counter()
    survivors = []
    killers = collections.Counter()
    refuted = []
    for mutant in mutants:
        result = results[mutant.number]
        why = explained.get(mutant.key())
        if result["outcome"] == "killed":
            counts["killed"] += 1
            counts["killed_by_" + result["how"]] += 1
            killers[result["test"]] += 1
            if why:
                refuted.append(mutant.describe())
            continue
        counts["survived"] += 1
        counts["explained"] += bool(why)
        counts["not_reached"] += not result["reached"]
        survivors.append({
            "file": mutant.file, "line": mutant.line, "function": mutant.function,
            "operator": mutant.operator, "old": mutant.old, "new": mutant.new,
            "occurrence": mutant.occurrence, "reached": result["reached"], "why": why or ""})
    return {
        "mutants": len(mutants),
        "killed": counts["killed"],
        "killed_by_failure": counts["killed_by_failed"],
        "killed_by_timeout": counts["killed_by_timeout"],
        "killed_by_memory": counts["killed_by_memory"],
        "survived": counts["survived"],
        "survived_percent": round(100 * counts["survived"] / max(1, len(mutants)), 2),
        "survived_explained": counts["explained"],
        "survived_not_reached": counts["not_reached"],
        "did_not_build": len(dropped),
        "places": found,
        "left_out_by_rule": dict((by_rule or collections.Counter()).most_common()),
        "seconds": round(seconds),
        "tests_left_out": excluded_tests,
        "killers": dict(killers.most_common()),
        "explained_but_killed": refuted,
        "survivors": survivors,
    }


def write_json(path, data):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(data, file, indent=1)
        file.write("\n")


def rules(found, by_rule):
    """How many changes of the sources could be drawn, and how many each rule keeps out."""
    left_out = ", ".join(f"{rule} {count}" for rule, count in sorted(
        by_rule.items(), key=lambda item: -item[1]))
    return f"{found} mutants can be drawn; left out by rule: {left_out or 'none'}"


def text(data):
    lines = []
    for left_out in data["tests_left_out"]:
        lines.append(f"left out, fails without a mutant: {left_out}")
    for survivor in data["survivors"]:
        old, new = (" ".join(survivor[key].split()) for key in ("old", "new"))
        how = "survived" if survivor["reached"] else "not reached"
        lines.append(f"{how}: {survivor['file']}:{survivor['line']} in {survivor['function']}: "
                     f"{survivor['operator']}: `{old}` -> `{new}`")
        if survivor["why"]:
            lines.append(f"    equivalent: {survivor['why']}")
    for words in data["explained_but_killed"]:
        lines.append(f"explained as equivalent, and killed: {words}")
    lines.append("")
    lines.append(rules(data["places"], data["left_out_by_rule"]))
    lines.append("tests that killed: " + ", ".join(
        f"{label.removeprefix('//tests/')} {count}" for label, count in data["killers"].items()))
    lines.append(
        f"{data['mutants']} mutants: {data['killed']} killed ({data['killed_by_timeout']} by their "
        f"time, {data['killed_by_memory']} by their memory), {data['survived']} survived "
        f"({data['survived_percent']} %), of which {data['survived_explained']} are explained and "
        f"{data['survived_not_reached']} were not reached; {data['did_not_build']} more did not "
        f"build; {data['seconds']} s")
    return "\n".join(lines)
