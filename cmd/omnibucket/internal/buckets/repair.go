package buckets

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
	"github.com/omnibucket/storage/layers/mirror"
)

// Repair returns the command repair, which makes both stores of a mirrored location equal.
func Repair(p *program.Program) *cobra.Command {
	var all, primaryIsRight bool
	c := &cobra.Command{
		Use:   "repair [flags] LOCATION",
		Short: "Make both stores of a mirrored location equal",
		Long: `Copies what the second store of a location with the layer mirror lacks, and removes what
the first one does not have any more, where a write left a note. With --dry-run, only counts
the notes. The location must be a whole bucket, without a prefix.

With --all, compares all objects. It removes and replaces only what the first store is known
to have removed or changed itself. If that is not known of one object, it removes and
replaces nothing, and exits with 4: the first store may be new, or restored from a snapshot.
Look at the differences with --dry-run. Then use --primary-is-right, or swap the roles of the
stores. With -v and --json, prints what it did with each object.`,
		Example: `  omnibucket repair photos:
  omnibucket repair --all --dry-run photos:
  omnibucket repair --all --primary-is-right photos:`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if all {
				return repairAll(c.Context(), p, args[0], primaryIsRight)
			}
			if primaryIsRight {
				return argument.Invalid("--primary-is-right must be used with --all", "")
			}
			return repair(c.Context(), p, args[0])
		},
	}

	c.Flags().BoolVar(&all, "all", false, "compare all objects")
	c.Flags().BoolVar(&primaryIsRight, "primary-is-right", false,
		"with --all: replace and remove whatever the first store does not have in the second one")
	return c
}

// repair makes the second store of a mirror equal to the first where a failed write left a note. A dry run only counts
// the notes.
func repair(ctx context.Context, p *program.Program, text string) error {
	bucket, err := openWholeBucket(ctx, p, text)
	if err != nil {
		return err
	}

	if p.Global.DryRun {
		state, err := mirror.Status(ctx, bucket)
		if err != nil {
			return explainMissingLayer(ctx, bucket, err, "mirror", "NAME")
		}
		return printNumbers(p, map[string]int64{"notes": state.Notes}, "%d notes\n", state.Notes)
	}

	report, err := mirror.Repair(ctx, bucket)
	return printRepair(ctx, p, bucket, report, err)
}

// repairAll compares all objects of both stores of a mirror, and makes the second store equal to the first. If
// primaryIsRight is true, it does so even if it is unknown which store is right.
func repairAll(ctx context.Context, p *program.Program, text string, primaryIsRight bool) error {
	bucket, err := openWholeBucket(ctx, p, text)
	if err != nil {
		return err
	}

	emit := func(d mirror.Difference) {
		text := string(d.Action) + " " + p.Out.Printable(d.Key)
		p.Emit(program.Event{Event: string(d.Action), Key: d.Key}, text)
	}
	opts := []mirror.RepairOption{mirror.WithDifferences(emit)}
	if primaryIsRight {
		opts = append(opts, mirror.WithPrimaryRight())
	}
	if p.Global.DryRun {
		opts = append(opts, mirror.WithDryRun())
	}

	report, err := mirror.RepairAll(ctx, bucket, opts...)
	return printRepair(ctx, p, bucket, report, err)
}

// printRepair prints the report of a repair that ended with err, and returns that error, explained.
func printRepair(ctx context.Context, p *program.Program, bucket storage.Bucket, r mirror.Report, err error) error {
	// With an empty report, there are no numbers to print, and the reason may be that the layer is missing.
	hasFailedEarly := err != nil && r == (mirror.Report{})
	if hasFailedEarly {
		return program.Multiline(explainMissingLayer(ctx, bucket, err, "mirror", "NAME"))
	}

	numbers := map[string]int64{
		"repaired":  r.Repaired,
		"removed":   r.Removed,
		"recent":    r.Recent,
		"failed":    r.Failed,
		"undecided": r.Undecided,
		"ignored":   r.Ignored,
	}
	printErr := printNumbers(p, numbers, "%d repaired, %d of them removed from the second store, "+
		"%d with a note that stays for an hour, %d failed, %d undecided, %d ignored\n",
		r.Repaired, r.Removed, r.Recent, r.Failed, r.Undecided, r.Ignored)
	// err may join the errors of several objects.
	if err != nil {
		return program.Multiline(err)
	}
	return printErr
}

// openWholeBucket opens the bucket of a location, which must not be a folder or an object. The layers mirror and
// overlay work on all keys of their stores, so a command for one folder would change other folders, too.
func openWholeBucket(ctx context.Context, p *program.Program, text string) (storage.Bucket, error) {
	l, err := p.Stores.LocateInBucket(text)
	if err != nil {
		return nil, err
	}
	if l.Prefix != "" || l.Key != "" {
		return nil, argument.Invalid("the location must be a whole bucket, and not a folder of it",
			"name a location without a prefix: the command works on all objects of both stores")
	}

	return p.Stores.Open(ctx, l)
}

// printNumbers prints the result of a command: numbers with --json, and otherwise the formatted text.
func printNumbers(p *program.Program, numbers map[string]int64, format string, args ...any) error {
	if p.Global.JSON {
		return p.Out.JSON(numbers)
	}
	p.Out.Printf(format, args...)
	return nil
}
