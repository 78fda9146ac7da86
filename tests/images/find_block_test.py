"""ebcache find-block: every block of an image is found where dump-tree has it, with its copies and its path;
damage, missing devices, and addresses where there is no block, are told apart."""

import shutil

import dump_tree
import image_test
import make_images

NODE_BYTES = 4096  # small, so that trees are high
UNKNOWN = 1 << 50  # no chunk has this address


class FindBlockTest(image_test.ImageTest):
    def make(self, count=1, files=500, node_bytes=NODE_BYTES, **options):
        devices = [self.scratch / f"disk{number}.img" for number in range(count)]
        if count == 1:
            options["rootdir"] = self.scratch / "rootdir"
            shutil.rmtree(options["rootdir"], ignore_errors=True)
            make_images.make_tree(options["rootdir"], files=files)
        devices = make_images.mkfs(devices, node_bytes, **options)
        self.trees = dump_tree.all_trees(devices)
        return devices

    def find(self, *arguments, exit_code=0):
        run = self.run_find_block("--json", *arguments)
        self.assertEqual(run.exit_code, exit_code, str(run))
        return run.report()

    def check_found(self, report, tree_id, logical, level):
        """The block is where it is said to be, and so is each block of the path to it."""
        self.assertEqual(report["verdict"], "in use")
        self.assertEqual(report["logical"], logical)
        self.assertEqual(report["block"]["level"], level)
        self.assertEqual(report["block"]["owner"], tree_id)
        path = report["path"]
        self.assertEqual(path["tree"], tree_id)
        self.assertEqual(path["found_by"], "key")
        levels = [block["level"] for block in path["blocks"]]
        self.assertEqual(levels, list(range(levels[0], level - 1, -1)))
        blocks = self.trees[tree_id, path["key_offset"]].blocks
        self.assertEqual(levels[0], max(level for _, level in blocks))
        for block in path["blocks"]:
            self.assertIn((block["logical"], block["level"]), blocks)
        self.assertEqual(path["blocks"][-1]["logical"], logical)

    def check_copies(self, report, devices):
        # A copy that verifies has its own address in it: that it is good proves where it is.
        self.assertEqual({copy["state"] for copy in report["copies"]}, {"good"})
        if "RAID0" in report["chunk"]["type"] or "RAID10" in report["chunk"]["type"]:
            return
        found = [(copy["device_id"], copy["physical"]) for copy in report["copies"]]
        self.assertEqual(found, dump_tree.copies(devices, report["logical"]))

    def test_every_tree(self):
        devices = self.make(metadata="dup")
        for (tree_id, _), tree in self.trees.items():
            seen = {}
            for logical, level in tree.blocks:
                seen.setdefault(level, []).append(logical)
            for level, logicals in seen.items():
                for logical in {logicals[0], logicals[len(logicals) // 2], logicals[-1]}:
                    with self.subTest(tree=tree_id, logical=logical):
                        report = self.find(*devices, logical)
                        self.check_found(report, tree_id, logical, level)
                        self.check_copies(report, devices)

    def test_profiles(self):
        for metadata, count in (
            ("single", 1),
            ("raid0", 2),
            ("raid1", 3),
            ("raid1c3", 3),
            ("raid1c4", 4),
            ("raid10", 4),
        ):
            devices = self.make(count, node_bytes=16384, metadata=metadata)
            for (tree_id, _), tree in self.trees.items():
                logical, level = tree.blocks[-1]
                with self.subTest(metadata=metadata, tree=tree_id):
                    report = self.find(*devices, logical)
                    self.check_found(report, tree_id, logical, level)
                    self.check_copies(report, devices)
                    self.assertIn(metadata.upper(), report["chunk"]["type"])
                    # And back again, from every copy.
                    for copy in report["copies"]:
                        place = f"--physical={copy['device_id']}:{copy['physical'] + 77}"
                        back = self.find(place, *devices)
                        self.assertEqual(back["asked"], logical + 77)
                        self.assertEqual(back["logical"], logical)

    def test_forms_of_addresses(self):
        (image,) = self.make()
        logical = self.trees[5, 0].leaves()[3]
        for text in (logical, hex(logical), hex(logical + NODE_BYTES - 1), logical + 1):
            report = self.find(image, text)
            self.assertEqual(report["logical"], logical)
            self.assertEqual(report["asked"], int(str(text), 0))

    def damage(self, image, logical, mirrors, offset=NODE_BYTES // 2):
        for mirror in mirrors:
            physical = dump_tree.copies([image], logical)[mirror - 1][1]
            image_test.flip_byte(image, physical + offset)

    def test_damage(self):
        (image,) = self.make(metadata="dup")
        tree = self.trees[5, 0]
        for logical in (tree.leaves()[5], tree.nodes()[1]):
            for mirrors in ([1], [2], [1, 2]):
                with self.subTest(logical=logical, mirrors=mirrors):
                    self.damage(image, logical, mirrors)
                    report = self.find(image, logical + 9, exit_code=1)
                    self.damage(image, logical, mirrors)
                    self.assertEqual(report["verdict"], "damaged")
                    self.assertEqual(report["logical"], logical)
                    bad = [c["mirror"] for c in report["copies"] if c["state"] == "bad"]
                    self.assertEqual(bad, mirrors)
                    for copy in report["copies"]:
                        self.assertEqual("checksum" in copy["reason"], copy["mirror"] in mirrors)
                    # Without a good copy there is no key to go by.
                    self.assertEqual(
                        report["path"]["found_by"], "walk" if len(mirrors) == 2 else "key"
                    )
                    self.assertEqual(report["path"]["blocks"][-1]["logical"], logical)

    def test_paths_by_walk_are_those_by_key(self):
        (image,) = self.make(metadata="dup", files=600)
        for logical in self.trees[5, 0].leaves()[::40]:
            by_key = self.find(image, logical)["path"]
            self.damage(image, logical, [1, 2])
            by_walk = self.find(image, logical, exit_code=1)["path"]
            self.damage(image, logical, [1, 2])
            self.assertEqual((by_key["found_by"], by_walk["found_by"]), ("key", "walk"))
            self.assertEqual(by_walk["blocks"], by_key["blocks"])

    def test_a_way_that_is_broken(self):
        # The block is sound, what leads to it is not: nobody can tell whether it is in use.
        (image,) = self.make(metadata="dup")
        node = self.trees[5, 0].nodes()[1]
        leaf = dump_tree.dump([image], "-b", node).split(" block ")[1].split()[0]
        self.damage(image, node, [1, 2])
        run = self.run_find_block("--json", image, leaf)
        self.assertEqual(run.exit_code, 2, str(run))
        report = run.report()
        self.assertEqual(report["verdict"], "cannot tell")
        self.assertIsNone(report["path"])
        self.assertEqual({copy["state"] for copy in report["copies"]}, {"good"})
        self.assertIn(str(node), run.stderr)

    def test_a_stale_block(self):
        # What was there before is sound, but not what the parent asks for.
        (image,) = self.make(metadata="dup")
        leaves = self.trees[5, 0].leaves()
        source = dump_tree.copies([image], leaves[2])
        target = dump_tree.copies([image], leaves[9])
        with open(image, "r+b") as file:
            file.seek(source[0][1])
            block = file.read(NODE_BYTES)
            file.seek(target[1][1])
            file.write(block)
        report = self.find(image, leaves[9], exit_code=1)
        self.assertEqual([copy["state"] for copy in report["copies"]], ["good", "bad"])
        self.assertIn(str(leaves[2]), report["copies"][1]["reason"])

    def test_no_block_there(self):
        (image,) = self.make()
        chunks = dump_tree.chunks([image])
        used = {logical for tree in self.trees.values() for logical, _ in tree.blocks}
        metadata = next(chunk for chunk in chunks if "METADATA" in chunk.type)
        data = next(chunk for chunk in chunks if chunk.type.startswith("DATA"))
        free = max(used) + 64 * NODE_BYTES
        self.assertLess(free, metadata.start + metadata.length)
        for logical, states in ((free, {"bad"}), (data.start, {"data"}), (UNKNOWN, set())):
            with self.subTest(logical=logical):
                report = self.find(image, logical, exit_code=1)
                self.assertEqual(report["verdict"], "not in use")
                self.assertIsNone(report["path"])
                self.assertEqual({copy["state"] for copy in report["copies"]}, states)
        run = self.run_find_block("--physical=7:4096", image)
        self.assertEqual(run.exit_code, 2, str(run))
        self.assertIn("no chunk is on a device of the number 7", run.stderr)
        run = self.run_find_block("--physical=1:4096", image)
        self.assertEqual(run.exit_code, 1, str(run))
        self.assertIn("offset 4096 of device 1 is in no chunk", run.stderr)

    def test_missing_devices(self):
        devices = self.make(2, metadata="raid1", node_bytes=16384)
        logical = self.trees[5, 0].leaves()[0]
        run = self.run_find_block("--json", devices[0], logical)
        self.assertEqual(run.exit_code, 0, str(run))
        self.assertIn("device 2 is missing", run.stderr)
        states = {copy["device_id"]: copy["state"] for copy in run.report()["copies"]}
        self.assertEqual(states, {1: "good", 2: "missing"})
        self.damage_on(devices[0], devices, logical)
        run = self.run_find_block("--json", devices[0], logical)
        self.assertEqual(run.exit_code, 1, str(run))

    def damage_on(self, device, devices, logical):
        copies = dict(dump_tree.copies(devices, logical))
        image_test.flip_byte(device, copies[devices.index(device) + 1] + 300)

    def test_text(self):
        (image,) = self.make(metadata="dup")
        logical = self.trees[5, 0].leaves()[4]
        run = self.run_find_block(image, logical)
        self.assertEqual(run.exit_code, 0, str(run))
        self.assertEqual(run.stderr, "")
        self.assertRegex(run.stdout, rf"(?m)^block {logical}, 4096 bytes: in use$")
        for mirror, (devid, physical) in enumerate(dump_tree.copies([image], logical), 1):
            self.assertRegex(run.stdout, rf"(?m)^{mirror} +{devid} +{physical} +\d+ +good ")
        self.assertRegex(run.stdout, r"(?m)^owner FS_TREE, level 0, generation \d+, \d+ items from")
        self.assertRegex(run.stdout, r"(?m)^path in tree FS_TREE, found by its first key:$")
        self.assertRegex(run.stdout, rf"(?m)^0 +{logical}$")
        run = self.run_find_block(image, UNKNOWN)
        self.assertEqual(run.exit_code, 1, str(run))
        self.assertIn("no chunk at this address", run.stdout)
        self.assertIn("no tree leads there", run.stdout)

    def test_help_and_complaints(self):
        (image,) = self.make(files=10)
        run = self.run_find_block("--help")
        self.assertEqual(run.exit_code, 0)
        self.assertIn("Exit code: 0 the block is in use", run.stdout)
        for arguments in (
            [],
            ["4096"],
            [image],
            [image, "lots"],
            [image, "0x"],
            [image, str(1 << 64)],
            ["--physical=1", image],
            ["--physical=1:x", image],
            ["--physical=1:0"],
            ["--no-such-option", image, "4096"],
            [self.scratch / "nowhere", "4096"],
        ):
            with self.subTest(arguments=arguments):
                self.check_complaint(self.run_find_block(*arguments))


if __name__ == "__main__":
    image_test.main()
