"""`normforge db`: databases as `normforge tune` writes them, put together, pruned, compared, checked and exported."""

import csv
import io
import json
import shutil

from program import MadeOnceTest, run, tune, unittest

NORM = """norm halved(x[rows, cols]) -> y[rows, cols] {
  y = x / %d
}
"""


class Databases(MadeOnceTest):
    @classmethod
    def make(cls):
        """Two databases of one problem."""
        cls.make_file("norms.problems", "softmax rows=4 cols=64\n")
        tune(cls.made, "one.db")
        tune(cls.made, "two.db", "--seed", "2")

    def lines(self, name):
        with open(self.path(name)) as file:
            return file.read().splitlines()

    def keys(self, name):
        fields = ("problem", "schedule", "code", "device", "compiler")
        return {tuple(record[field] for field in fields) for record in map(json.loads, self.lines(name))}

    def samples(self, name):
        rows = json.loads(self.ok("db", "export", "--db", name, "--json"))
        return {(row["problem"], row["schedule"], row["run"], row["regime"], row["confirms"], row["twin"], row["round"], row["seconds"]) for row in rows}

    def test_merge_is_the_union(self):
        shutil.copy(self.path("two.db"), self.path("copy.db"))
        first = json.loads(self.ok("db", "merge", "one.db", "--db", "all.db", "--json"))
        self.assertEqual((first["records"], first["new"], first["grown"]), (len(self.keys("one.db")),) * 2 + (0,))
        text = self.ok("db", "merge", "two.db", "copy.db", "--db", "all.db")
        self.assertIn("with more samples than before", text)
        self.assertEqual(self.keys("all.db"), self.keys("one.db") | self.keys("two.db"))
        self.assertEqual(self.samples("all.db"), self.samples("one.db") | self.samples("two.db"))
        merged = self.lines("all.db")
        self.assertEqual(len(merged), len(self.keys("all.db")))  # canonical: a record a line
        self.ok("db", "merge", "two.db", "--db", "again.db")
        self.ok("db", "merge", "one.db", "--db", "again.db")
        self.assertEqual(self.lines("again.db"), merged)  # whatever the order
        self.ok("db", "merge", "all.db", "all.db", "--db", "all.db")
        self.assertEqual(self.lines("all.db"), merged)

    def test_merge_says_what_is_damaged(self):
        lines = self.lines("one.db")
        self.write("cut.db", "\n".join(lines[:3]) + "\n" + lines[3][:100])
        result = run("db", "merge", "cut.db", "--db", "all.db", cwd=self.directory)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertRegex(result.stderr, r"^normforge: cut\.db:4: .*this line is skipped\n$")
        self.assertEqual(len(self.keys("all.db")), len(set(map(lambda line: json.loads(line)["schedule"] + json.loads(line)["problem"], lines[:3]))))

    def test_prune_another_text_of_a_norm(self):
        self.write("halved.norm", NORM % 2)
        self.write("own.problems", "halved.norm rows=4 cols=64\n")
        tune(self.directory, "own.db", problems="own.problems")
        self.ok("db", "merge", "own.db", "one.db", "--db", "norms.db")
        keys = self.keys("norms.db")
        own = {key for key in keys if key[0].startswith("halved.norm")}
        self.assertTrue(own and own != keys)
        self.assertIn(": 0 records superseded", self.ok("db", "prune", "own.problems", "--db", "norms.db", "--cache", "cache"))
        self.write("halved.norm", NORM % 4)
        before = self.lines("norms.db")
        text = self.ok("db", "prune", "--db", "norms.db")
        self.assertRegex(text, r"^norms\.db: %d records superseded, %d kept\n +%d of a norm that .* another text now\n.*--apply" % (len(own), len(keys - own), len(own)))
        self.assertEqual(self.lines("norms.db"), before)
        result = json.loads(self.ok("db", "prune", "--db", "norms.db", "--apply", "--json"))
        self.assertEqual((result["superseded"], result["kept"], result["applied"]), (len(own), len(keys - own), True))
        self.assertEqual(self.keys("norms.db"), keys - own)
        self.assertIn(": 0 records superseded", self.ok("db", "prune", "--db", "norms.db"))

    def test_prune_code_that_is_no_longer_emitted(self):
        shutil.copy(self.path("one.db"), self.path("norms.db"))
        self.assertIn(": 0 records superseded", self.ok("db", "prune", "norms.problems", "--db", "norms.db", "--cache", "cache"))
        self.write("norms.problems", "softmax rows=4 cols=1..100\n")  # kernels for which compile to other code
        text = self.ok("db", "prune", "norms.problems", "--db", "norms.db", "--cache", "cache", "--apply")
        self.assertIn("of code that is no longer emitted", text)
        self.assertLess(len(self.lines("norms.db")), 3)

    def test_diff(self):
        self.assertEqual(self.ok("db", "diff", "one.db", "one.db"), "0 records added, 0 removed, 0 with other samples\n0 answers changed\n")
        lines = self.lines("one.db")
        keep = [line for line in lines if json.loads(line)["schedule"] != json.loads(lines[-1])["schedule"]]
        self.write("less.db", "\n".join(keep) + "\n")
        gone = len(self.keys("one.db")) - len(self.keys("less.db"))
        self.assertGreater(gone, 0)
        self.assertTrue(self.ok("db", "diff", "one.db", "less.db").startswith(f"0 records added, {gone} removed, 0 with other samples\n"))
        found = json.loads(self.ok("db", "diff", "less.db", "one.db", "--json"))
        self.assertEqual((len(found["added"]), found["removed"], found["changed"]), (gone, [], []))
        self.assertEqual({key["schedule"] for key in found["added"]}, {json.loads(lines[-1])["schedule"]})
        self.write("empty.db", "")
        answers = json.loads(self.ok("db", "diff", "empty.db", "one.db", "--json"))["answers"]
        self.assertEqual([(answer["problem"], answer["before"]) for answer in answers], [("softmax rows=4 cols=64", {})])
        self.assertIn("before: not measured", self.ok("db", "diff", "empty.db", "one.db"))

    def test_export(self):
        shutil.copy(self.path("one.db"), self.path("norms.db"))
        rows = list(csv.DictReader(io.StringIO(self.ok("db", "export", "--db", "norms.db"))))
        stored = [json.loads(line) for line in self.lines("norms.db")]
        taken = sorted(seconds for record in stored for samples in record["samples"] for seconds in samples["seconds"])
        self.assertEqual(sorted(float(row["seconds"]) for row in rows), taken)
        self.assertEqual({row["problem"] for row in rows}, {"softmax rows=4 cols=64"})
        self.assertEqual({row["device"] for row in rows}, {stored[0]["device"]})
        self.assertEqual(self.ok("db", "export", "--db", "norms.db", "-o", "samples.csv"), "")
        with open(self.path("samples.csv")) as file:
            self.assertEqual(list(csv.DictReader(file)), rows)
        exported = json.loads(self.ok("db", "export", "--db", "norms.db", "--json"))
        self.assertEqual(sorted(row["seconds"] for row in exported), taken)
        self.assertEqual(set(exported[0]), set(rows[0]))

    def test_verify(self):
        shutil.copy(self.path("one.db"), self.path("norms.db"))
        before = self.lines("norms.db")
        words = ("db", "verify", "norms.problems", "--db", "norms.db", "--cache", "cache")
        self.assertRegex(self.ok(*words, "--sample", "0"), r"^softmax rows=4 cols=64\n  \d+ records of this machine, 0 of them do not hold; 0 of other")
        result = run(*words, "--sample", "2", "--json", cwd=self.directory)  # on a machine with other work timings may differ
        found = json.loads(result.stdout)[0]
        self.assertEqual(found["broken"], [])
        self.assertIn(len(found["retimed"]), (1, 2))
        for one in found["retimed"]:
            self.assertLessEqual(one["now"]["lo"], one["now"]["gain"])
            self.assertLessEqual(one["now"]["gain"], one["now"]["hi"])
        self.assertEqual(result.returncode, 0 if all(one["holds"] for one in found["retimed"]) else 1)
        self.assertEqual(self.lines("norms.db"), before)
        self.write("norms.problems", "softmax rows=4 cols=1..100\n")
        result = run(*words, "--sample", "0", cwd=self.directory)
        self.assertEqual(result.returncode, 1)
        self.assertIn("fails  softmax rows=4 cols=64 | ", result.stdout)
        self.assertRegex(result.stderr, r"^normforge: \d+ of \d+ records do not hold; ")
        self.write("norms.problems", "softmax rows=4 cols=65\n")
        result = run(*words, cwd=self.directory)
        self.assertEqual(result.returncode, 1)
        self.assertIn("has no records of these problems", result.stderr)

    def test_mistakes(self):
        self.refused("db", says="db --help")
        self.refused("db", "merg", "a.db", says=("unknown verb 'merg'", "did you mean 'merge'", "normforge db --help"))
        result = run("db", "merge", cwd=self.directory)
        self.assertEqual((result.returncode, result.stderr), (1, "normforge: FROM is required; see 'normforge db merge --help'\n"))
        self.refused("db", "merge", "none.db", says=("cannot read 'none.db'",))
        self.refused("db", "diff", "none.db", "none.db", says="none.db")
        self.refused("db", "prune", "--db", "none.db", says="none.db")
        self.refused("db", "verify", "norms.problems", "--db", "none.db", says="none.db")
        self.refused("db", "export", "--db", "none.db", "--jsn", says=("unknown flag '--jsn'", "did you mean '--json'"))
        self.write("norms.db", "")
        self.refused("db", "prune", "none.problems", "--db", "norms.db", says="none.problems")
        for verb in ("merge", "prune", "diff", "verify", "export"):
            self.assertIn("Example", self.ok("db", verb, "--help"))


if __name__ == "__main__":
    unittest.main()
