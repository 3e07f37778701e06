// Quick measures ten cases with this checkout and with an earlier commit, and prints how they
// differ:
//
//	go run ./quick [-base REF] [-rounds 7]
//
// Both programs run in turns, so that a busy machine slows both. A ratio is the median of the ratios
// of all rounds: 1.10 means that this checkout needs a tenth more than the commit. The other
// libraries that a case compares are left out.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/omnibucket/storage/tools/benchmarks/record"
)

// cases are the names of the cases: what most programs do, and what a change of the engine costs
// most.
var cases = []string{
	"memory-put-1k", "memory-get-1k", "memory-list-1000", "layer-put-1k", "local-put-1k", "local-get-1k",
	"serve-memory-1k", "s3-put-1k", "s3-get-1k", "s3-list",
}

func main() {
	base := flag.String("base", "", "compare with this `commit` (default: where this branch has left main)")
	rounds := flag.Int("rounds", 7, "rounds of each program")
	flag.Parse()
	if err := run(*base, *rounds); err != nil {
		fmt.Fprintln(os.Stderr, "quick:", err)
		os.Exit(1)
	}
}

// run builds the benchmarks of the commit base and those of this checkout, measures both in turn, and
// prints the medians of their ratios.
func run(base string, rounds int) (err error) {
	if base == "" {
		base, err = git("merge-base", "HEAD", "main")
		if err != nil {
			return err
		}
	}
	base, err = git("rev-parse", "--short", base+"^{commit}")
	if err != nil {
		return err
	}
	root, err := git("rev-parse", "--show-toplevel")
	if err != nil {
		return err
	}

	// Check out the commit base in a directory of its own.
	dir, err := os.MkdirTemp("", "bench-quick-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	checkout := filepath.Join(dir, "checkout")
	if _, err := git("worktree", "add", "--detach", checkout, base); err != nil {
		return err
	}
	defer func() {
		_, removeErr := git("worktree", "remove", "--force", checkout)
		err = errors.Join(err, removeErr)
	}()

	programs := []program{
		{path: filepath.Join(dir, "before"), source: filepath.Join(checkout, "tools", "benchmarks")},
		{path: filepath.Join(dir, "now"), source: filepath.Join(root, "tools", "benchmarks")},
	}
	for _, p := range programs {
		if err := p.build(); err != nil {
			return err
		}
	}

	// The programs take turns, so that changes of the machine's speed affect both.
	var ratios table
	for range rounds {
		before, err := programs[0].measure(dir)
		if err != nil {
			return err
		}
		now, err := programs[1].measure(dir)
		if err != nil {
			return err
		}
		ratios.add(before, now)
	}
	fmt.Printf("This checkout over %s, medians of %d rounds:\n\n", base, rounds)
	return ratios.print()
}

func git(args ...string) (string, error) {
	out, err := exec.Command("git", args...).Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		err = fmt.Errorf("git %s: %s", args[0], exit.Stderr)
	}
	return strings.TrimSpace(string(out)), err
}

// A program is the benchmarks of one commit.
type program struct{ path, source string }

func (p program) build() error {
	c := exec.Command("go", "build", "-o", p.path, ".")
	c.Dir = p.source
	out, err := c.CombinedOutput()
	if err != nil {
		return fmt.Errorf("build %s: %w\n%s", p.source, err, out)
	}
	return nil
}

// measure runs each case once. It returns the results of this library by case.
func (p program) measure(dir string) (map[string]record.Row, error) {
	results := filepath.Join(dir, "results")
	pattern := "^(" + strings.Join(cases, "|") + ")$"
	c := exec.Command(p.path, "-run", pattern, "-rounds", "1", "-per", "60ms", "-record", results)
	c.Dir = p.source
	if out, err := c.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("run %s: %w\n%s", p.path, err, out)
	}
	f, err := record.Read(results)
	if err != nil {
		return nil, err
	}
	rows := map[string]record.Row{}
	for _, c := range f.Cases {
		rows[c.Name] = c.Rows[0]
	}
	return rows, os.RemoveAll(results)
}

// figures are the columns of the table.
var figures = []struct {
	name string
	of   func(record.Row) float64
}{
	{name: "time", of: func(r record.Row) float64 { return r.Nanos }},
	{name: "CPU", of: func(r record.Row) float64 { return r.CPU }},
	{name: "allocations", of: func(r record.Row) float64 { return r.Allocs }},
	{name: "bytes", of: func(r record.Row) float64 { return r.Bytes }},
}

// A table has the ratios of all rounds by case, for each figure.
type table struct{ ratios map[string][][]float64 }

// add adds the ratios of one round. A figure that was 0 before has no ratio.
func (t *table) add(before, now map[string]record.Row) {
	if t.ratios == nil {
		t.ratios = map[string][][]float64{}
	}
	for _, name := range cases {
		if t.ratios[name] == nil {
			t.ratios[name] = make([][]float64, len(figures))
		}
		for i, figure := range figures {
			if old := figure.of(before[name]); old > 0 {
				t.ratios[name][i] = append(t.ratios[name][i], figure.of(now[name])/old)
			}
		}
	}
}

// print prints a row for each case with the median ratio of each figure, or "-" if no round has
// this ratio.
func (t *table) print() error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, figure := range figures {
		fmt.Fprintf(w, "\t%s", figure.name)
	}
	fmt.Fprintln(w, "\t")
	for _, name := range cases {
		fmt.Fprint(w, name)
		for _, ratios := range t.ratios[name] {
			if len(ratios) == 0 {
				fmt.Fprint(w, "\t-")
				continue
			}
			slices.Sort(ratios)
			median := ratios[len(ratios)/2]
			fmt.Fprintf(w, "\t%.2f", median)
		}
		fmt.Fprintln(w, "\t")
	}
	return w.Flush()
}
