package buckets

import (
	"context"
	"errors"
	"slices"

	"github.com/spf13/cobra"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
)

// Rb returns the command rb, which removes a bucket.
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

// rb removes a bucket, which must be empty unless force is true.
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
		if err != nil {
			if !force {
				addForceHint(err)
			}
			return err
		}
		p.Emit(program.Event{Event: "removed", Key: bucket}, "removed "+p.Out.Printable(bucket))
		return nil
	})
}

// addForceHint adds a hint to err if the bucket is not empty.
func addForceHint(err error) {
	storageErr, ok := errors.AsType[*storage.Error](err)
	if ok && storageErr.Code == storage.BucketNotEmpty {
		storageErr.Hint = "use --force to remove all objects and versions first, also those that ls does not show"
	}
}

// checkRemoval returns the error that removeBucket would return, as far as that is known without removing anything.
func checkRemoval(ctx context.Context, s storage.Service, bucket string, force bool) error {
	// If there is some information, the bucket exists, even if reading its settings has failed.
	info, err := s.BucketInfo(ctx, bucket)
	if info == nil && err != nil {
		return err
	}
	if force {
		return nil
	}

	notEmpty := &storage.Error{Code: storage.BucketNotEmpty, Provider: info.Provider, Bucket: info.Name}
	err = useBucket(s, bucket, func(b storage.Bucket) error {
		return requireNoObjects(ctx, b, notEmpty)
	})
	if err != nil {
		return err
	}
	return useVersions(s, bucket, func(b storage.Bucket) error {
		return requireNoVersions(ctx, b, notEmpty)
	})
}

// removeBucket removes a bucket. If the bucket is not empty and force is true, removeBucket empties it first.
func removeBucket(ctx context.Context, s storage.Service, bucket string, force bool) error {
	err := s.DeleteBucket(ctx, bucket)
	if !force || !errors.Is(err, storage.BucketNotEmpty) {
		return err
	}

	// Remove one kind of content after the other, until the bucket can be deleted.
	for _, removeContent := range emptyingSteps(ctx, s, bucket) {
		if err := removeContent(ctx, s, bucket); err != nil {
			return err
		}
		err = s.DeleteBucket(ctx, bucket)
		if !errors.Is(err, storage.BucketNotEmpty) {
			return err
		}
	}
	return err
}

// An emptyingStep removes one kind of content from a bucket.
type emptyingStep func(ctx context.Context, s storage.Service, bucket string) error

// emptyingSteps returns functions that together empty a bucket, in the order in which to call them.
func emptyingSteps(ctx context.Context, s storage.Service, bucket string) []emptyingStep {
	// The bucket may have versions even if versioning is suspended or unknown.
	steps := []emptyingStep{removeObjects, removeVersions, abortUploads}

	// With versioning, removeObjects would only add a delete marker for each object, so versions go first.
	// If the settings cannot be read, versioning is unknown.
	info, _ := s.BucketInfo(ctx, bucket)
	if info != nil && info.Versioning {
		steps = slices.Insert(steps, 0, removeVersions)
	}
	return steps
}

// requireNoObjects returns notEmpty if a bucket has objects.
func requireNoObjects(ctx context.Context, b storage.Bucket, notEmpty error) error {
	for _, err := range b.List(ctx, storage.WithAnyOrder(), storage.WithLimit(1)) {
		if err != nil {
			return err
		}
		return notEmpty
	}
	return nil
}

// requireNoVersions returns notEmpty if a bucket has versions.
func requireNoVersions(ctx context.Context, b storage.Bucket, notEmpty error) error {
	for _, err := range storage.Versions(ctx, b, storage.WithLimit(1)) {
		if err != nil {
			// Deleting a bucket needs no permission to list versions.
			return nil
		}
		return notEmpty
	}
	return nil
}

// useBucket opens a bucket, calls do with it, and closes it.
func useBucket(s storage.Service, name string, do func(storage.Bucket) error, opts ...storage.OpenOption) error {
	bucket, err := s.Bucket(name, opts...)
	if err != nil {
		return err
	}
	return errors.Join(do(bucket), storage.Close(bucket))
}

// useVersions is like useBucket, but opens the bucket with versions. If the store has no versions, it does nothing.
func useVersions(s storage.Service, name string, do func(storage.Bucket) error) error {
	bucket, err := s.Bucket(name, storage.WithVersioning(true))
	if errors.Is(err, storage.Unsupported) {
		return nil
	}
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

// removeVersions removes all versions of all objects of a bucket, if the bucket supports versions.
func removeVersions(ctx context.Context, s storage.Service, name string) error {
	return useVersions(s, name, func(b storage.Bucket) error {
		// RemoveVersions takes a sequence without errors, so listErr keeps the error that ends the listing.
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
		return errors.Join(listErr, program.Multiline(err))
	})
}

// abortUploads aborts all unfinished uploads of a bucket, which keep some stores from deleting it.
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
