package buckets

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
)

// Mb returns the command mb, which creates a bucket.
func Mb(p *program.Program) *cobra.Command {
	var public, isVersioned bool
	c := &cobra.Command{
		Use:   "mb [flags] LOCATION",
		Short: "Create a bucket",
		Long: `Creates a bucket: on Azure a container, for file: a directory. Names have 3 to 63
characters of a-z, 0-9 and "-", which every provider accepts. With versions=true or
object_lock=true in its address, the bucket keeps versions, or can lock objects.`,
		Example: `  omnibucket mb 's3://photos?region=eu-west-1'
  omnibucket mb --versioned 'gs://photos?project=my-project'
  omnibucket mb file:///srv/photos`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			var opts []storage.BucketOption
			if public {
				opts = append(opts, storage.WithPublicAccess(true))
			}
			if isVersioned {
				opts = append(opts, storage.WithVersioning(true))
			}
			if c.Flags().Changed("region") {
				opts = append(opts, storage.WithRegion(p.Global.Region))
			}
			return mb(c.Context(), p, args[0], opts)
		},
	}

	c.Flags().BoolVar(&public, "public", false, "let anyone read all objects")
	c.Flags().BoolVar(&isVersioned, "versioned", false, "keep old versions of objects")
	return c
}

// mb creates the bucket that an address or a location names.
func mb(ctx context.Context, p *program.Program, text string, opts []storage.BucketOption) error {
	l, err := p.Stores.LocateInBucket(text)
	if err != nil {
		return err
	}

	// The new bucket must have the features that the address declares.
	for pair := range strings.SplitSeq(l.Query, "&") {
		switch pair {
		case "versions=true":
			opts = append(opts, storage.WithVersioning(true))
		case "object_lock=true":
			opts = append(opts, storage.WithObjectLock())
		}
	}

	return p.Stores.UseService(ctx, l, func(s storage.Service, bucket string) error {
		_, err := s.CreateBucket(ctx, bucket, opts...)
		if err := program.IgnoreDryRun(err); err != nil {
			return err
		}
		// A dry run also fails if the bucket exists.
		if p.Global.DryRun {
			if err := requireMissing(ctx, s, bucket); err != nil {
				return err
			}
		}
		p.Emit(program.Event{Event: "created", Key: bucket}, "created "+p.Out.Printable(bucket))
		return nil
	})
}

// requireMissing returns a BucketExists error if a bucket exists, as creating it would.
func requireMissing(ctx context.Context, s storage.Service, bucket string) error {
	info, err := s.BucketInfo(ctx, bucket)
	if info != nil {
		return &storage.Error{Code: storage.BucketExists, Provider: info.Provider, Bucket: bucket}
	}
	if errors.Is(err, storage.BucketNotFound) {
		return nil
	}
	return err
}
