package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/omnibucket/storage/transfer"
)

// compareFlags are the flags of diff and check.
type compareFlags struct {
	filter                       filterFlags
	size, times, checksum, links bool
	oneWay                       bool
}

const differenceHelp = `
Prints a line for each file that differs: "<" if only the first tree has it, ">" if only
the second has it, "!" if they differ, and "?" if it could not be compared. If a line was
printed, the exit code is 1.`

func (p *program) diffCommand() *cobra.Command {
	var f compareFlags
	c := &cobra.Command{
		Use:   "diff [flags] FIRST SECOND",
		Short: "Print how two trees differ, by size and time",
		Long: `Compares two directories or folders in buckets, or two objects, as sync does: by size and time, and by
content if the times do not decide.
` + differenceHelp,
		Example: `  omnibucket diff ./public 's3://site?region=eu-west-1'
  omnibucket diff --size photos:2026 backup:photos/2026
  omnibucket diff --checksum --exclude '*.tmp' file:///srv/a file:///srv/b`,
		Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error { return p.compare(c.Context(), &f, args[0], args[1]) },
	}
	c.Flags().BoolVar(&f.checksum, "checksum", false, "compare checksums instead of times")
	f.register(c)
	return c
}

func (p *program) checkCommand() *cobra.Command {
	var f compareFlags
	c := &cobra.Command{
		Use:   "check [flags] SOURCE COPY",
		Short: "Check that a tree is a true copy of another, by checksum",
		Long: `Compares the checksums of all files in two directories or folders in buckets, or of two
objects. A file is read if its store keeps no CRC32C of it. The last line, on standard error, counts the
files.
` + differenceHelp,
		Example: `  omnibucket check ./photos 's3://backup/photos?region=eu-west-1'
  omnibucket check --one-way gs://photos 'azblob://photos?account=myaccount'
  omnibucket check --times photos:2026 backup:photos/2026`,
		Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			f.checksum = !f.size && !f.times
			err := p.compare(c.Context(), &f, args[0], args[1])
			return err
		},
	}
	c.Flags().BoolVar(&f.times, "times", false, "compare sizes and times, as sync does")
	f.register(c)
	return c
}

func (f *compareFlags) register(c *cobra.Command) {
	c.Flags().BoolVar(&f.size, "size", false, "compare only sizes")
	c.Flags().BoolVar(&f.links, "links", false, "follow symbolic links that stay in a directory")
	c.Flags().BoolVar(&f.oneWay, "one-way", false, "ignore files that only the second tree has")
	f.filter.register(c)
}

// options returns the flags as options of a comparison.
func (f *compareFlags) options() ([]transfer.Option, error) {
	opts, err := f.filter.options()
	for _, flag := range []struct {
		given bool
		with  func() transfer.Option
	}{{f.size, transfer.WithSizeOnly}, {f.checksum, transfer.WithChecksum}, {f.links, transfer.WithLinks}} {
		if flag.given {
			opts = append(opts, flag.with())
		}
	}
	return opts, err
}

var errDiffer = errors.New("trees differ")

var signs = map[transfer.DifferenceKind]string{
	transfer.OnlyFirst: "<", transfer.OnlySecond: ">", transfer.Different: "!", transfer.NotCompared: "?",
}

func (p *program) compare(ctx context.Context, f *compareFlags, first, second string) error {
	if f.size && (f.checksum || f.times) {
		return invalid("--size must not be used with --checksum or --times", "")
	}
	opts, err := f.options()
	if err != nil {
		return err
	}
	ends, err := p.compareEnds(ctx, [2]string{first, second})
	if err != nil {
		return err
	}
	if p.global.concurrency > 0 {
		opts = append(opts, transfer.WithConcurrency(p.global.concurrency))
	}
	different := false
	result, err := transfer.Compare(ctx, ends[0], ends[1], func(d transfer.Difference) {
		if f.oneWay && d.Kind == transfer.OnlySecond {
			return
		}
		different = true
		p.printDifference(d)
	}, opts...)
	err = inLines(err)
	if ctx.Err() == nil && result.Same+result.Different+result.OnlyFirst+result.OnlySecond+result.NotCompared > 0 {
		p.summarizeComparison(result)
	}
	if err == nil && different {
		return reportedError{errDiffer}
	}
	return err
}

func (p *program) summarizeComparison(c *transfer.Comparison) {
	if p.global.json {
		_ = p.json(comparisonLine{"summary", c.Same, c.Different, c.OnlyFirst, c.OnlySecond, c.NotCompared, c.Duration.Round(time.Millisecond).Seconds()})
		return
	}
	p.note("%d the same, %d different, %d only in the first, %d only in the second, %d not compared", c.Same, c.Different, c.OnlyFirst, c.OnlySecond, c.NotCompared)
}

// A comparisonLine is the last line of diff and check in JSON.
type comparisonLine struct {
	Event       string  `json:"event"` // "summary"
	Same        int64   `json:"same"`
	Different   int64   `json:"different"`
	OnlyFirst   int64   `json:"onlyFirst"`
	OnlySecond  int64   `json:"onlySecond"`
	NotCompared int64   `json:"notCompared"`
	Seconds     float64 `json:"seconds"`
}

// A differenceLine is a Difference in JSON.
type differenceLine struct {
	Key        string                  `json:"key"`
	Difference transfer.DifferenceKind `json:"difference"`
	Error      string                  `json:"error,omitempty"`
}

func (p *program) printDifference(d transfer.Difference) {
	if p.global.json {
		line := differenceLine{Key: d.Key, Difference: d.Kind}
		if d.Err != nil {
			line.Error = p.explain(d.Err).what
		}
		_ = p.json(line) // p.out keeps the error
		return
	}
	p.printf("%s %s\n", signs[d.Kind], p.printable(d.Key))
}

// existingEnd returns an end that exists. A folder without objects does not.
func (p *program) existingEnd(ctx context.Context, l location) (transfer.End, error) {
	end, err := p.end(ctx, l)
	if err != nil || l.kind != inBucket || l.key == "" {
		return end, err
	}
	full, err := p.hasObjects(ctx, l)
	if err == nil && !full {
		err = errNothingUnder(asFolder(l.key))
	}
	return end, err
}
