package copying

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/location"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
	"github.com/omnibucket/storage/internal/keysort"
	"github.com/omnibucket/storage/transfer"
)

// compareFlags are the flags of diff and check.
type compareFlags struct {
	filter                       program.FilterFlags
	size, times, checksum, links bool
	oneWay                       bool
	inventory                    string
}

const differenceHelp = `
Prints a line for each file that differs: "<" if only the first tree has it, ">" if only
the second has it, "!" if they differ, and "?" if it could not be compared. If a line was
printed, the exit code is 1. The lines are in the order of the keys.`

// Diff returns the command diff, which prints how two trees differ.
func Diff(p *program.Program) *cobra.Command {
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
		RunE: func(c *cobra.Command, args []string) error { return compare(c.Context(), p, &f, args[0], args[1]) },
	}
	c.Flags().BoolVar(&f.checksum, "checksum", false, "compare checksums instead of times")
	f.register(c)
	return c
}

// Check returns the command check.
func Check(p *program.Program) *cobra.Command {
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
			return compare(c.Context(), p, &f, args[0], args[1])
		},
	}
	c.Flags().BoolVar(&f.times, "times", false, "compare sizes and times, as sync does")
	f.register(c)
	return c
}

// register adds the flags that diff and check share to a command.
func (f *compareFlags) register(c *cobra.Command) {
	c.Flags().BoolVar(&f.size, "size", false, "compare only sizes")
	c.Flags().BoolVar(&f.links, "links", false, "follow symbolic links that stay in a directory")
	c.Flags().BoolVar(&f.oneWay, "one-way", false, "ignore files that only the second tree has")
	program.InventoryFlag(c.Flags(), &f.inventory)
	f.filter.Register(c)
}

// options converts the flags to options of transfer.Compare.
func (f *compareFlags) options() ([]transfer.Option, error) {
	opts, err := f.filter.Options()
	if err != nil {
		return nil, err
	}

	if f.size {
		opts = append(opts, transfer.WithSizeOnly())
	}
	if f.checksum {
		opts = append(opts, transfer.WithChecksum())
	}
	if f.links {
		opts = append(opts, transfer.WithLinks())
	}
	return opts, nil
}

var errDiffer = errors.New("trees differ")

// signs has the sign with which the line of a difference begins.
var signs = map[transfer.DifferenceKind]string{
	transfer.OnlyFirst:   "<",
	transfer.OnlySecond:  ">",
	transfer.Different:   "!",
	transfer.NotCompared: "?",
}

// compare compares two trees or two files, prints their differences, and returns errDiffer if there are any.
func compare(ctx context.Context, p *program.Program, f *compareFlags, first, second string) error {
	if f.size && (f.checksum || f.times) {
		return argument.Invalid("--size must not be used with --checksum or --times", "")
	}

	opts, err := f.options()
	if err != nil {
		return err
	}
	firstEnd, secondEnd, err := compareEnds(ctx, p, first, second)
	if err != nil {
		return err
	}

	inventoryOpts, err := f.inventoryOptions(ctx, p, first)
	if err != nil {
		return err
	}
	opts = append(opts, inventoryOpts...)
	if p.Global.Concurrency > 0 {
		opts = append(opts, transfer.WithConcurrency(p.Global.Concurrency))
	}

	diffs := differences{sorter: keysort.New(differencesMemory), errs: map[string]error{}}
	// The files of the sorter are temporary, so an error does not matter.
	defer func() { _ = diffs.sorter.Close() }()

	result, err := transfer.Compare(ctx, firstEnd, secondEnd, func(d transfer.Difference) {
		if f.oneWay && d.Kind == transfer.OnlySecond {
			return
		}
		diffs.add(ctx, d)
	}, opts...)

	// Print what was found before an interruption, too.
	printErr := diffs.print(context.WithoutCancel(ctx), p)
	err = program.Multiline(errors.Join(err, printErr))

	// Print no summary if the comparison was interrupted or has compared no file.
	compared := result.Same + result.Different + result.OnlyFirst + result.OnlySecond + result.NotCompared
	if ctx.Err() == nil && compared > 0 {
		summarizeComparison(p, result)
	}

	if err != nil {
		return err
	}
	if diffs.hasAny {
		// The lines with the differences were printed.
		return program.Reported(errDiffer)
	}
	return nil
}

// inventoryOptions returns the options for reading the first tree from the inventory of --inventory, or
// none without that flag.
func (f *compareFlags) inventoryOptions(
	ctx context.Context, p *program.Program, first string,
) ([]transfer.Option, error) {
	if f.inventory == "" {
		return nil, nil
	}
	l, err := p.Stores.Locate(first)
	if err != nil {
		return nil, err
	}
	return inventoryOptions(ctx, p, f.inventory, l)
}

// differencesMemory limits the memory for differences, in bytes. The rest are in temporary files.
const differencesMemory = 16 << 20

// maxCompareErrors is the largest number of errors that are printed with their files.
const maxCompareErrors = 1000

// differences sorts the differences of two trees by key. A comparison finds them in the order in
// which its requests end, and the files that only the second tree has at its end.
type differences struct {
	sorter *keysort.Sorter
	errs   map[string]error // errors of files that could not be compared
	hasAny bool

	sortErr error // first error of the sorter
}

// add records a difference. If the sorter fails, print returns the error.
func (s *differences) add(ctx context.Context, d transfer.Difference) {
	s.hasAny = true

	// The errors are in memory, so their number is limited.
	if d.Err != nil && len(s.errs) < maxCompareErrors {
		s.errs[d.Key] = d.Err
	}

	if s.sortErr != nil {
		return
	}
	s.sortErr = s.sorter.Add(ctx, []byte(d.Key), []byte(d.Kind))
}

// print prints the differences in the order of their keys.
func (s *differences) print(ctx context.Context, p *program.Program) error {
	if s.sortErr != nil {
		return s.sortErr
	}

	for r, err := range s.sorter.Sorted(ctx) {
		if err != nil {
			return err
		}
		key := string(r.Key)
		printDifference(p, transfer.Difference{
			Kind: transfer.DifferenceKind(r.Value),
			Key:  key,
			Err:  s.errs[key],
		})
	}
	return nil
}

// summarizeComparison prints how many files a comparison found to be the same, different or in one tree only.
func summarizeComparison(p *program.Program, c *transfer.Comparison) {
	if p.Global.JSON {
		// p.Out keeps a write error.
		_ = p.Out.JSON(comparisonLine{
			Event:       "summary",
			Same:        c.Same,
			Different:   c.Different,
			OnlyFirst:   c.OnlyFirst,
			OnlySecond:  c.OnlySecond,
			NotCompared: c.NotCompared,
			Seconds:     c.Duration.Round(time.Millisecond).Seconds(),
		})
		return
	}
	p.Note("%d the same, %d different, %d only in the first, %d only in the second, %d not compared",
		c.Same, c.Different, c.OnlyFirst, c.OnlySecond, c.NotCompared)
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

// printDifference prints a difference of two trees as one line.
func printDifference(p *program.Program, d transfer.Difference) {
	if p.Global.JSON {
		line := differenceLine{Key: d.Key, Difference: d.Kind}
		if d.Err != nil {
			line.Error = p.Explain(d.Err).What
		}
		// p.Out keeps an error of the write.
		_ = p.Out.JSON(line)
		return
	}
	p.Out.Printf("%s %s\n", signs[d.Kind], p.Out.Printable(d.Key))
}

// existingEnd converts a location to an end of a comparison. It fails with ObjectNotFound for a folder without objects.
func existingEnd(ctx context.Context, p *program.Program, l location.Location) (transfer.End, error) {
	end, err := jobEnd(ctx, p, l)
	if err != nil {
		return end, err
	}

	isFolderInBucket := l.Kind == location.InBucket && l.Key != ""
	if !isFolderInBucket {
		return end, nil
	}

	exists, err := hasObjects(ctx, p, l)
	if err != nil {
		return end, err
	}
	if !exists {
		return end, location.NothingUnder(location.AsFolder(l.Key))
	}
	return end, nil
}
