package buckets

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/location"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
	"github.com/omnibucket/storage/layers/encrypt"
)

// Rewrap returns the command rewrap.
func Rewrap(p *program.Program) *cobra.Command {
	var recursive bool
	c := &cobra.Command{
		Use:   "rewrap [flags] LOCATION",
		Short: "Encrypt an object, or a tree with -r, for the keys of today",
		Long: `Encrypts the data keys of objects again, for the keys that the layer encrypt of the location has
now, inside the store: no bytes move. Put the new key first in the configuration, rewrap, and
only then take the old key out. With "allow_plain: true", objects that were stored without
encryption are encrypted, through this machine. After a failure it continues; repeat it.`,
		Example: `  omnibucket rewrap -r photos:
  omnibucket rewrap -r photos:2026/
  omnibucket rewrap photos:2026/a.jpg`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return rewrap(c.Context(), p, args[0], recursive) },
	}
	c.Flags().BoolVarP(&recursive, "recursive", "r", false, "rewrap everything in the folder of this name")
	return c
}

func rewrap(ctx context.Context, p *program.Program, text string, recursive bool) error {
	l, err := p.Stores.LocateInBucket(text)
	switch {
	case err != nil:
		return err
	case !p.Stores.IsEncrypted(l):
		return argument.Invalid("the location must have the layer encrypt",
			`add "layers: [{encrypt: {identity_file: PATH}}]" to it in the configuration`)
	case !recursive && l.IsFolder():
		return argument.Invalid("key must not be that of a folder", "use -r to rewrap everything in the folder")
	case !recursive:
		return rewrapOne(ctx, p, l)
	}
	bucket, err := p.Stores.OpenFolder(ctx, l)
	if err != nil {
		return err
	}
	folder := location.AsFolder(l.Key)
	if p.Global.DryRun {
		for entry, err := range bucket.List(ctx, storage.WithAnyOrder()) {
			if err != nil {
				return err
			}
			emitRewrapped(p, folder+entry.Key, entry.Size)
		}
		return nil
	}
	report, err := encrypt.RewrapAll(ctx, bucket, encrypt.RewrapConfig{
		Concurrency: p.Global.Concurrency,
		Rewrapped:   func(attrs *storage.Attrs) { emitRewrapped(p, folder+attrs.Key, attrs.Size) },
	})
	if report != (encrypt.RewrapReport{}) || err == nil {
		failed := print(p, map[string]int64{"rewrapped": report.Rewrapped, "failed": report.Failed},
			"%d rewrapped, %d failed\n", report.Rewrapped, report.Failed)
		err = errors.Join(err, failed)
	}
	return program.InLines(err)
}

func rewrapOne(ctx context.Context, p *program.Program, l location.Location) error {
	bucket, err := p.Stores.Open(ctx, l)
	if err != nil {
		return err
	}
	do := func() (*storage.Attrs, error) { return encrypt.Rewrap(ctx, bucket, l.Key) }
	if p.Global.DryRun {
		do = func() (*storage.Attrs, error) { return bucket.Attrs(ctx, l.Key) }
	}
	attrs, err := do()
	if err != nil {
		return err
	}
	emitRewrapped(p, l.Key, attrs.Size)
	return nil
}

func emitRewrapped(p *program.Program, key string, size int64) {
	p.Emit(program.Event{Event: "rewrapped", Key: key, Bytes: size}, "rewrapped "+p.Out.Printable(key))
}
