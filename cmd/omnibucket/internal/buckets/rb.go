package buckets

import (
	"context"
	"errors"
	"slices"

	"github.com/spf13/cobra"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
)

// Rb returns the command rb.
func Rb(p *program.Program) *cobra.Command {
	var force bool
	c := &cobra.Command{
		Use:   "rb [flags] LOCATION",
		Short: "Remove a bucket",
		Long: `Removes a bucket that is empty and has no old versions. With --force, permanently
removes everything in it first.`,
		Example: `  omnibucket rb 's3://photos?region=eu-west-1'
  omnibucket rb --force file:///srv/photos`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return rb(c.Context(), p, args[0], force) },
	}
	c.Flags().BoolVar(&force, "force", false, "remove all objects, versions and unfinished uploads first")
	return c
}

func rb(ctx context.Context, p *program.Program, text string, force bool) error {
	l, err := p.Stores.LocateInBucket(text)
	if err != nil {
		return err
	}
	return p.Stores.UseService(ctx, l, func(s storage.Service, bucket string) (err error) {
		defer func() {
			if err == nil {
				p.Emit(program.Event{Event: "removed", Key: bucket}, "removed "+p.Out.Printable(bucket))
			} else if e, ok := errors.AsType[*storage.Error](err); ok && e.Code == storage.BucketNotEmpty && !force {
				e.Hint = "use --force to remove all objects and versions first, also those that ls does not show"
			}
		}()

		if p.Global.DryRun {
			info, err := s.BucketInfo(ctx, bucket)
			if info != nil {
				// The bucket exists, even if its settings may not be read.
				err = nil
			}
			if err == nil && !force {
				err = useBucket(
					s, bucket, func(b storage.Bucket) error { return mustBeEmpty(ctx, b, info) },
					storage.WithVersioning(true),
				)
			}
			return err
		}

		// With force, empty the bucket only if it cannot be deleted as it is.
		err = s.DeleteBucket(ctx, bucket)
		if !force || !errors.Is(err, storage.BucketNotEmpty) {
			return err
		}
		for _, empty := range emptyingSteps(ctx, s, bucket) {
			if err := empty(ctx, s, bucket); err != nil {
				return err
			}
			if err = s.DeleteBucket(ctx, bucket); !errors.Is(err, storage.BucketNotEmpty) {
				return err
			}
		}
		return err
	})
}

// emptyingSteps returns functions that empty a bucket, in the order to try them. Versions may exist even
// if versioning is suspended or unknown, so removeVersions always follows removeObjects. If the
// bucket certainly keeps versions, removeVersions is also the first function. In such a bucket,
// removeObjects would only add a delete marker for each object.
func emptyingSteps(
	ctx context.Context, s storage.Service, bucket string,
) []func(context.Context, storage.Service, string) error {
	ways := []func(context.Context, storage.Service, string) error{removeObjects, removeVersions, abortUploads}
	if info, _ := s.BucketInfo(ctx, bucket); info != nil && info.Versioning {
		ways = slices.Insert(ways, 0, removeVersions)
	}
	return ways
}

// mustBeEmpty fails with BucketNotEmpty if a bucket has objects or versions. A dry run calls it
// instead of deleting the bucket.
func mustBeEmpty(ctx context.Context, b storage.Bucket, info *storage.BucketInfo) error {
	notEmpty := &storage.Error{Code: storage.BucketNotEmpty, Provider: info.Provider, Bucket: info.Name}
	for _, err := range b.List(ctx, storage.WithAnyOrder(), storage.WithLimit(1)) {
		if err == nil {
			err = notEmpty
		}
		return err
	}
	if !storage.Supports(b, storage.Versioning) {
		return nil
	}
	for _, err := range storage.Versions(ctx, b, storage.WithLimit(1)) {
		if err == nil {
			return notEmpty
		}
		// An error is ignored, because deleting a bucket needs no permission to list versions.
		break
	}
	return nil
}

// useBucket opens a bucket of an account, calls do, and closes the bucket.
func useBucket(s storage.Service, name string, do func(storage.Bucket) error, opts ...storage.OpenOption) error {
	bucket, err := s.Bucket(name, opts...)
	if err != nil {
		return err
	}
	return errors.Join(do(bucket), storage.Close(bucket))
}

func removeObjects(ctx context.Context, s storage.Service, name string) error {
	return useBucket(s, name, func(b storage.Bucket) error {
		_, err := storage.RemoveMatching(ctx, b, nil)
		return err
	})
}

// removeVersions removes all versions of a bucket if the bucket supports versions.
func removeVersions(ctx context.Context, s storage.Service, name string) error {
	return useBucket(s, name, func(b storage.Bucket) error {
		if !storage.Supports(b, storage.Versioning) {
			return nil
		}
		var listErr error
		_, err := storage.RemoveVersions(ctx, b, func(yield func(storage.VersionEntry) bool) {
			for v, err := range storage.Versions(ctx, b) {
				listErr = err
				if err != nil || !yield(v) {
					return
				}
			}
		})
		return errors.Join(listErr, program.InLines(err))
	}, storage.WithVersioning(true))
}

// abortUploads aborts all uploads of a bucket, if the store lists uploads. Azure does not delete a
// bucket that has uploads.
func abortUploads(ctx context.Context, s storage.Service, name string) error {
	return useBucket(s, name, func(b storage.Bucket) error {
		if !storage.Supports(b, storage.ListedUploads) {
			return nil
		}
		for u, err := range storage.ListUploads(ctx, b) {
			if err == nil {
				err = storage.AbortUpload(ctx, b, u)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}
