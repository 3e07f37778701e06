package buckets

import (
	"context"
	"errors"
	"os"

	"github.com/spf13/cobra"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/location"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
	"github.com/omnibucket/storage/layers/encrypt"
)

// Rewrap returns the command rewrap, which encrypts the data keys of objects again, for the present
// keys of their location.
func Rewrap(p *program.Program) *cobra.Command {
	var recursive bool
	var former string
	c := &cobra.Command{
		Use:   "rewrap [flags] LOCATION",
		Short: "Encrypt an object, or a tree with -r, for the keys of today",
		Long: `Encrypts the data keys of objects again, for the keys that the layer encrypt of the location has
now, inside the store: no bytes move. Put the new key first in the configuration, rewrap, and
only then take the old key out. With "allow_plain: true", objects that were stored without
encryption are encrypted, through this machine. After a failure it continues; repeat it.

With --former FILE, which has the old identities and no others, it leaves out what they do
not decrypt. With --dry-run, that lists what is still encrypted for them.`,
		Example: `  omnibucket rewrap -r photos:
  omnibucket rewrap -r --former old.txt --dry-run photos:
  omnibucket rewrap -r photos:2026/
  omnibucket rewrap photos:2026/a.jpg`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return rewrap(c.Context(), p, args[0], recursive, former) },
	}

	c.Flags().StringVar(&former, "former", "", "with -r: rewrap only what the identities of this file decrypt")
	c.Flags().BoolVarP(&recursive, "recursive", "r", false, "rewrap everything in the folder of this name")
	return c
}

// rewrap encrypts the data key of an object, or of all objects of a folder if recursive is true, again with the keys
// of today. If formerFile is not "", rewrap leaves out what the identities in this file do not decrypt.
func rewrap(ctx context.Context, p *program.Program, text string, recursive bool, formerFile string) error {
	l, err := p.Stores.LocateInBucket(text)
	if err != nil {
		return err
	}
	if !p.Stores.IsEncrypted(l) {
		return argument.Invalid("the location must have the layer encrypt",
			`add "layers: [{encrypt: {identity_file: PATH}}]" to it in the configuration`)
	}
	if !recursive && formerFile != "" {
		return argument.Invalid("--former must be used with -r", "")
	}
	if !recursive && l.IsFolder() {
		return argument.Invalid("key must not be that of a folder", "use -r to rewrap everything in the folder")
	}

	if recursive {
		return rewrapFolder(ctx, p, l, formerFile)
	}
	return rewrapOne(ctx, p, l)
}

// rewrapFolder encrypts the data keys of all objects of a folder again, and prints the counts.
func rewrapFolder(ctx context.Context, p *program.Program, l location.Location, formerFile string) error {
	bucket, err := p.Stores.OpenFolder(ctx, l)
	if err != nil {
		return err
	}
	keys, err := formerKeys(formerFile)
	if err != nil {
		return err
	}

	folder := location.AsFolder(l.Key)
	report, err := encrypt.RewrapAll(ctx, bucket, encrypt.RewrapConfig{
		Concurrency: p.Global.Concurrency,
		Former:      keys,
		DryRun:      p.Global.DryRun,
		Rewrapped: func(attrs *storage.Attrs) {
			emitRewrapped(p, folder+attrs.Key, attrs.Size)
		},
	})

	if p.Global.DryRun {
		// The function Rewrapped has printed the objects.
		return program.Multiline(err)
	}
	isEmpty := report == (encrypt.RewrapReport{})
	if err != nil && isEmpty {
		// RewrapAll failed before the first object, so there are no counts to print.
		return program.Multiline(err)
	}

	numbers := map[string]int64{
		"rewrapped": report.Rewrapped,
		"current":   report.Current,
		"failed":    report.Failed,
	}
	printErr := printNumbers(p, numbers, "%d rewrapped, %d of other keys, %d failed\n",
		report.Rewrapped, report.Current, report.Failed)
	return program.Multiline(errors.Join(err, printErr))
}

// formerKeys reads the identities in the file of --former, or returns nil if the flag is not given.
func formerKeys(path string) (encrypt.Keys, error) {
	if path == "" {
		return nil, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, argument.Invalid("--former must name a file that can be read: "+err.Error(), "")
	}
	defer file.Close()

	return encrypt.ParseKeys(file)
}

// rewrapOne encrypts the data key of one object again. In a dry run, it only checks that the object exists.
func rewrapOne(ctx context.Context, p *program.Program, l location.Location) error {
	bucket, err := p.Stores.Open(ctx, l)
	if err != nil {
		return err
	}

	var attrs *storage.Attrs
	if p.Global.DryRun {
		attrs, err = bucket.Attrs(ctx, l.Key)
	} else {
		attrs, err = encrypt.Rewrap(ctx, bucket, l.Key)
	}
	if err != nil {
		return err
	}

	emitRewrapped(p, l.Key, attrs.Size)
	return nil
}

// emitRewrapped reports an object that was rewrapped.
func emitRewrapped(p *program.Program, key string, size int64) {
	p.Emit(program.Event{Event: "rewrapped", Key: key, Bytes: size}, "rewrapped "+p.Out.Printable(key))
}
