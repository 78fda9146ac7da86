"""What subcommands print with --json is what their schemas say, member by member, on images of every
kind of trouble."""

import json
import shutil
import unittest

import dump_tree
import image_test
import make_images

try:
    import jsonschema
except ImportError:
    jsonschema = None

NODE_BYTES = 4096


def closed(schema):
    """The schema, with no members but those that it names: later versions may have more, ours not."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {key: closed(value) for key, value in schema.items()}
    if "properties" in schema and isinstance(schema.get("type"), str):
        schema["additionalProperties"] = False
    return schema


class SchemaTest(image_test.ImageTest):
    def setUp(self):
        super().setUp()
        if jsonschema is None:
            self.skipTest("SKIPPED: Debian's python3-jsonschema is not installed")
        make_images.make_tree(self.scratch / "rootdir", files=600)
        self.image = self.scratch / "disk.img"
        make_images.mkfs(
            [self.image], NODE_BYTES, rootdir=self.scratch / "rootdir", metadata="dup"
        )
        self.trees = dump_tree.all_trees([self.image])

    def check(self, subcommand, *arguments, exit_code):
        """Every line, or the whole, is as its schema says; returns what was printed last."""
        schema = self.run_program(image_test.command(subcommand, "--json-schema")).report()
        jsonschema.Draft202012Validator.check_schema(schema)
        validator = jsonschema.Draft202012Validator(closed(schema))
        run = self.run_program(image_test.command(subcommand, "--json", *arguments))
        self.assertEqual(run.exit_code, exit_code, str(run))
        texts = run.stdout.splitlines() if subcommand == "top" else [run.stdout]
        self.assertGreater(len(texts), 0)
        for text in texts:
            report = json.loads(text)
            problems = [f"{list(e.absolute_path)}: {e.message}" for e in validator.iter_errors(report)]
            self.assertEqual(problems, [], f"{subcommand} {arguments}")
        return report

    def check_all(self, *devices, exit_code, flags=()):
        """{subcommand: report} of those that read all trees."""
        return {
            "tree-stats": self.check("tree-stats", *flags, *devices, exit_code=exit_code),
            "verify": self.check("verify", *devices, exit_code=exit_code),
            "top": self.check("top", "--interval-ms=5", *flags, *devices, exit_code=exit_code),
        }

    def test_sound(self):
        for allocator in image_test.ALLOCATORS:
            self.check_all(self.image, exit_code=0, flags=[f"--allocator={allocator}"])
        self.check("top", "--passes=200", "--interval-ms=5", self.image, exit_code=0)
        self.assertEqual(self.check("check", self.image, exit_code=0)["verdict"], "sound")
        root = self.trees[5, 0].blocks[0][0]
        leaf = self.trees[5, 0].leaves()[-1]
        for address in (root, leaf, leaf + 100):
            report = self.check("find-block", self.image, address, exit_code=0)
            self.assertIsNotNone(report["path"])
        report = self.check("find-block", self.image, 1 << 60, exit_code=1)  # in no chunk
        self.assertIsNone(report["chunk"])

    def test_what_writes(self):
        """Previews, commits, and what ends early."""
        for subcommand, words in (("rewrite", ["--blocks-per-commit=8"]), ("tune", ["--label=other"])):
            report = self.check(subcommand, "--preview", *words, self.image, exit_code=0)
            self.assertIsNotNone(report["check"])
            report = self.check(subcommand, "--yes", *words, self.image, exit_code=0)
            self.assertIsNone(report["check"])
            self.assertGreater(report["commits"], 0)
        undo_file = self.scratch / "before.undo"
        report = self.check("tune", "--yes", "--label=x", f"--undo={undo_file}", self.image, exit_code=0)
        self.assertEqual(report["undo_file"], str(undo_file))
        for words in (["--preview"], ["--yes"]):
            self.check("undo", *words, f"--file={undo_file}", self.image, exit_code=0)
        self.check("tune", "--yes", "--label=x", f"--undo={undo_file}", self.image, exit_code=0)
        self.check("undo", "--settle", "--yes", f"--file={undo_file}", exit_code=0)
        for words in (["tune"], ["zero-log"], ["zero-log", "--preview"], ["repair-copies"]):
            self.check(*words, self.image, exit_code=0)
        for _, physical in dump_tree.copies([self.image], dump_tree.all_trees([self.image])[5, 0].leaves()[3]):
            image_test.flip_byte(self.image, physical + 1000)
        report = self.check("rewrite", "--yes", "-t", "fs", self.image, exit_code=2)
        self.assertIsNotNone(report["error"])
        (_, physical) = dump_tree.copies([self.image], dump_tree.all_trees([self.image])[5, 0].blocks[0][0])[1]
        image_test.flip_byte(self.image, physical + 1000)
        report = self.check("repair-copies", "--yes", self.image, exit_code=1)
        self.assertEqual([copy["repaired"] for copy in report["copies"]].count(True), 1)

    def test_damage(self):
        leaf = self.trees[5, 0].leaves()[3]
        (first, second) = dump_tree.copies([self.image], leaf)
        node = self.trees[5, 0].blocks[0][0]
        node_copies = dump_tree.copies([self.image], node)
        image_test.flip_byte(self.image, first[1] + 1000)
        recovered = self.check("tree-stats", self.image, exit_code=0)
        self.assertTrue(recovered["damage"][0]["recovered"])
        self.assertEqual(len(self.check("verify", self.image, exit_code=1)["damage"]), 1)
        self.assertEqual(self.check("find-block", self.image, leaf, exit_code=1)["verdict"], "damaged")
        image_test.flip_byte(self.image, second[1] + 1000)
        image_test.flip_byte(self.image, 65536 + 200)
        reports = self.check_all(self.image, exit_code=1)
        self.assertEqual(len(reports["tree-stats"]["damage"][0]["mirrors"]), 2)
        found = self.check("check", self.image, exit_code=1)
        self.assertIn("block-lost", {finding["kind"] for finding in found["findings"]})
        self.assertEqual(len(reports["verify"]["lost"]), 1)
        self.assertGreater(len(reports["verify"]["superblocks"]), 0)
        self.check("find-block", self.image, leaf, exit_code=1)
        # A path that leads through what cannot be read.
        for _, physical in node_copies:
            image_test.flip_byte(self.image, physical + 1000)
        report = self.check("find-block", self.image, self.trees[5, 0].leaves()[5], exit_code=2)
        self.assertGreater(len(report["damage"]), 0)

    def test_missing_devices(self):
        disks = [self.scratch / f"disk{number}.img" for number in range(3)]
        devices = make_images.mkfs(disks, NODE_BYTES, metadata="raid1")
        self.check_all(*devices, exit_code=0)
        blocks = {start for tree in dump_tree.all_trees(devices).values() for start, _ in tree.blocks}
        self.check("tree-stats", devices[0], devices[1], exit_code=0)
        self.check("verify", devices[0], devices[1], exit_code=2)
        for block in sorted(blocks)[:3]:
            self.check("find-block", devices[0], devices[1], block, exit_code=0)
        single = make_images.mkfs(
            [self.scratch / "a.img", self.scratch / "b.img"], NODE_BYTES, metadata="raid0"
        )
        unread = 0
        for device in single:
            run = self.run_tree_stats("--json", device)
            if run.stdout:  # else what tells where trees are is on the other one
                report = self.check("tree-stats", device, exit_code=run.exit_code)
                unread += len(report["unread"])
                self.check("verify", device, exit_code=self.run_verify(device).exit_code)
        self.assertGreater(unread, 0)

    def test_too_little_memory(self):
        flags = ["--allocator=movable", "--memory-mib=2", "--inject-order-failures=50"]
        self.check("tree-stats", *flags, "--cache-mib=1", self.image, exit_code=0)
        flags = ["--allocator=vmap", "--memory-mib=8", "--inject-scatter", "--cache-mib=1"]
        report = self.check("tree-stats", *flags, self.image, exit_code=0)
        self.assertEqual(report["cache"]["allocator"]["name"], "vmap")

    def test_names_that_are_no_utf8(self):
        name = str(self.scratch / "disk").encode() + b"\xff.img"
        shutil.copyfile(self.image, name)
        image_test.flip_byte(name, 65536 + 200)
        # What json.loads takes is UTF-8, and the name comes out as it can.
        name = name.decode(errors="surrogateescape")
        self.check("tree-stats", name, exit_code=0)
        report = self.check("verify", name, exit_code=1)
        self.assertIn("\ufffd", report["devices"][0]["name"])


class ClosedTest(unittest.TestCase):
    """That the validation above can fail: a member too few, too many, or of another type."""

    def test_each_is_found(self):
        if jsonschema is None:
            self.skipTest("SKIPPED: Debian's python3-jsonschema is not installed")
        schema = {
            "type": "object",
            "properties": {"a": {"$ref": "#/$defs/n"}},
            "required": ["a"],
            "$defs": {"n": {"type": "integer", "minimum": 0}},
        }
        validator = jsonschema.Draft202012Validator(closed(schema))
        self.assertTrue(validator.is_valid({"a": 1}))
        for wrong in ({}, {"a": "1"}, {"a": -1}, {"a": 1, "b": 2}):
            self.assertFalse(validator.is_valid(wrong), wrong)


if __name__ == "__main__":
    image_test.main()
