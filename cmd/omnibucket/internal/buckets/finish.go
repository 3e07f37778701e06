package buckets

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
	"github.com/omnibucket/storage/layers/overlay"
	"github.com/omnibucket/storage/transfer"
)

// Finish returns the command finish, which copies what only the old store of a location with the
// layer overlay has.
func Finish(p *program.Program) *cobra.Command {
	var c overlay.FinishConfig
	command := &cobra.Command{
		Use:   "finish [flags] LOCATION",
		Short: "Copy what only the old store of a location has",
		Long: `Copies every object that only the old store of a location with the layer overlay has,
while others read and write. It may be interrupted and repeated, and run on several
machines. If it succeeds, set new_only of the layer for all programs, and then remove the
layer: only the new store is needed. With --dry-run, only counts the objects. The location
must be a whole bucket, without a prefix.`,
		Example: `  omnibucket finish photos:
  omnibucket finish --dry-run --json photos:
  omnibucket finish --remove-tombstones photos:`,
		Args: cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			return finish(command.Context(), p, args[0], c)
		},
	}

	command.Flags().BoolVar(
		&c.RemoveTombstones, "remove-tombstones", false,
		"also remove those of keep_old, when no program uses the layer any more",
	)
	return command
}

// finish copies the objects that only the old store of an overlay has, and prints the counts.
func finish(ctx context.Context, p *program.Program, text string, c overlay.FinishConfig) error {
	bucket, err := openWholeBucket(ctx, p, text)
	if err != nil {
		return err
	}

	if p.Global.DryRun {
		remaining, err := overlay.Left(ctx, bucket)
		if err != nil {
			return explainMissingLayer(ctx, bucket, err, "overlay", "{old: NAME}")
		}
		return printNumbers(p, map[string]int64{"left": remaining}, "%d objects left\n", remaining)
	}

	report, err := copyRest(ctx, p, bucket, c)
	isEmpty := report == (overlay.Report{})
	if err != nil && isEmpty {
		// There are no numbers to print. The location may lack the layer.
		return program.Multiline(explainMissingLayer(ctx, bucket, err, "overlay", "{old: NAME}"))
	}

	numbers := map[string]int64{
		"copied":     report.Copied,
		"bytes":      report.Bytes,
		"left":       report.Left,
		"markers":    report.Markers,
		"tombstones": report.Tombstones,
		"ignored":    report.Ignored,
	}
	printErr := printNumbers(p, numbers,
		"%d copied, %d bytes, %d left, %d markers, %d tombstones, %d ignored\n",
		report.Copied, report.Bytes, report.Left, report.Markers, report.Tombstones, report.Ignored)
	// err may join the errors of several objects.
	if err != nil {
		return program.Multiline(err)
	}
	return printErr
}

// explainMissingLayer replaces an InvalidArgument error, which a bucket without the layer returns, by one that says how
// to configure the layer. settings is an example of the layer's settings, such as "{old: NAME}".
func explainMissingLayer(ctx context.Context, bucket storage.Bucket, err error, layer, settings string) error {
	if !errors.Is(err, storage.InvalidArgument) {
		return err
	}

	// If the bucket cannot be used at all, the layer is not what is missing.
	const anyKey = "k"
	if _, err := bucket.Exists(ctx, anyKey); err != nil {
		return err
	}

	return argument.Invalid("the location must have the layer "+layer,
		`add "layers: [{`+layer+": "+settings+`}]" to it in the configuration; if another layer of two stores follows `+
			layer+", name a location of the same store without that one")
}

// copyRest copies the objects that only the old store of an overlay has, and shows the progress.
func copyRest(
	ctx context.Context, p *program.Program, bucket storage.Bucket, c overlay.FinishConfig,
) (overlay.Report, error) {
	c.Concurrency = p.Global.Concurrency

	// The bar is nil if there is no terminal.
	bar := p.StartProgress()
	if bar != nil {
		c.Progress = func(r overlay.Report) { bar.Update(transfer.Progress{Files: r.Copied, Bytes: r.Bytes}) }
	}

	report, err := overlay.Finish(ctx, bucket, c)
	p.EndProgress(bar)
	return report, err
}
