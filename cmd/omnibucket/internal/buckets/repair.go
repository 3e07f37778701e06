package buckets

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
	"github.com/omnibucket/storage/layers/mirror"
)

// Repair returns the command repair.
func Repair(p *program.Program) *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use:   "repair [flags] LOCATION",
		Short: "Make both stores of a mirrored location equal",
		Long: `Copies what the second store of a location with the layer mirror lacks, and removes what
the first one does not have any more: where a write left a note or, with --all, for every
object. With --dry-run, only counts the notes.`,
		Example: `  omnibucket repair photos:
  omnibucket repair --all photos:
  omnibucket repair --dry-run --json photos:`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return repair(c.Context(), p, args[0], all) },
	}
	c.Flags().BoolVar(&all, "all", false, "compare all objects")
	return c
}

func repair(ctx context.Context, p *program.Program, text string, all bool) error {
	bucket, err := openWhole(ctx, p, text)
	if err != nil {
		return err
	}
	if p.Global.DryRun {
		state, err := mirror.Status(ctx, bucket)
		if err != nil {
			return withoutLayer(ctx, bucket, err, "mirror", "NAME")
		}
		return print(p, map[string]int64{"notes": state.Notes}, "%d notes\n", state.Notes)
	}
	do := mirror.Repair
	if all {
		do = mirror.RepairAll
	}
	report, err := do(ctx, bucket)
	if err != nil && report == (mirror.Report{}) {
		return program.InLines(withoutLayer(ctx, bucket, err, "mirror", "NAME"))
	}
	if failed := print(p, map[string]int64{"repaired": report.Repaired, "recent": report.Recent, "failed": report.Failed},
		"%d repaired, %d of them with a note that stays for an hour, %d failed\n", report.Repaired, report.Recent, report.Failed); err == nil {
		err = failed
	}
	return program.InLines(err)
}

// openWhole opens the bucket of a location, without its prefix.
func openWhole(ctx context.Context, p *program.Program, text string) (storage.Bucket, error) {
	l, err := p.Stores.LocateInBucket(text)
	if err != nil {
		return nil, err
	}
	l.Prefix, l.Key = "", ""
	return p.Stores.Open(ctx, l)
}

// print prints numbers as a line of JSON or as text.
func print(p *program.Program, numbers map[string]int64, format string, arguments ...any) error {
	if p.Global.JSON {
		return p.Out.JSON(numbers)
	}
	p.Out.Printf(format, arguments...)
	return nil
}
