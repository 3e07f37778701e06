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

// rb removes a bucket. With force, it first removes all objects and versions.
func rb(ctx context.Context, p *program.Program, text string, force bool) error {
	l, err := p.Stores.LocateInBucket(text)
	if err != nil {
		return err
	}
	return p.Stores.UseService(ctx, l, func(s storage.Service, bucket string) error {
		var err error
		if p.Global.DryRun {
			err = checkRemoval(ctx, s, bucket, force)
		} else {
			err = removeBucket(ctx, s, bucket, force)
		}
		if e, ok := errors.AsType[*storage.Error](err); ok && e.Code == storage.BucketNotEmpty && !force {
			e.Hint = "use --force to remove all objects and versions first, also those that ls does not show"
		}
		if err != nil {
			return err
		}
		p.Emit(program.Event{Event: "removed", Key: bucket}, "removed "+p.Out.Printable(bucket))
		return nil
	})
}

// checkRemoval fails if removeBucket would fail, as far as that is known without a change.
func checkRemoval(ctx context.Context, s storage.Service, bucket string, force bool) error {
	info, err := s.BucketInfo(ctx, bucket)
	// If there is some information, the bucket exists, even if its settings may not be read.
	if info == nil && err != nil {
		return err
	}
	if force {
		return nil
	}
	check := func(b storage.Bucket) error { return mustBeEmpty(ctx, b, info) }
	return useBucket(s, bucket, check, storage.WithVersioning(true))
}

// removeBucket removes a bucket. With force, it empties the bucket if it cannot be removed as it is.
func removeBucket(ctx context.Context, s storage.Service, bucket string, force bool) error {
	err := s.DeleteBucket(ctx, bucket)
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
}

// emptyingSteps returns functions that empty a bucket, in the order to try them. Versions may exist even
// if versioning is suspended or unknown, so removeVersions always follows removeObjects. If the
// bucket certainly keeps versions, removeVersions is also the first function. In such a bucket,
// removeObjects would only add a delete marker for each object.
func emptyingSteps(
	ctx context.Context, s storage.Service, bucket string,
) []func(context.Context, storage.Service, string) error {
	steps := []func(context.Context, storage.Service, string) error{removeObjects, removeVersions, abortUploads}
	// If the settings cannot be read, versioning is unknown.
	info, _ := s.BucketInfo(ctx, bucket)
	if info != nil && info.Versioning {
		steps = slices.Insert(steps, 0, removeVersions)
	}
	return steps
}

// mustBeEmpty fails with BucketNotEmpty if a bucket has objects or versions. A dry run calls it
// instead of deleting the bucket.
func mustBeEmpty(ctx context.Context, b storage.Bucket, info *storage.BucketInfo) error {
	notEmpty := &storage.Error{Code: storage.BucketNotEmpty, Provider: info.Provider, Bucket: info.Name}
	for _, err := range b.List(ctx, storage.WithAnyOrder(), storage.WithLimit(1)) {
		if err != nil {
			return err
		}
		return notEmpty
	}

	if !storage.Supports(b, storage.Versioning) {
		return nil
	}
	for _, err := range storage.Versions(ctx, b, storage.WithLimit(1)) {
		if err != nil {
			// Deleting a bucket needs no permission to list versions.
			return nil
		}
		return notEmpty
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

// removeObjects removes all objects of a bucket.
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
		// RemoveVersions accepts no error of a listing, so listErr keeps it.
		var listErr error
		versions := func(yield func(storage.VersionEntry) bool) {
			for v, err := range storage.Versions(ctx, b) {
				if err != nil {
					listErr = err
					return
				}
				if !yield(v) {
					return
				}
			}
		}
		_, err := storage.RemoveVersions(ctx, b, versions)
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
		for upload, err := range storage.ListUploads(ctx, b) {
			if err != nil {
				return err
			}
			if err := storage.AbortUpload(ctx, b, upload); err != nil {
				return err
			}
		}
		return nil
	})
}
