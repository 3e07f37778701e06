package iceberg

import (
	"context"
	"errors"
	"slices"

	"github.com/omnibucket/storage"
)

// The constant together is the largest number of files in one call of RemoveAll. RemoveAll stops
// after 1,000 failures. A call with at most 1,000 files therefore tries to remove every file.
const together = 1000

// DeleteFiles removes files, in batches if the provider supports them. After a failure, it
// continues with the other files. A file that does not exist counts as deleted. err joins the
// errors of the files that were not deleted.
func (o *IO) DeleteFiles(ctx context.Context, locations []string) (deleted []string, err error) {
	var errs []error
	for some := range slices.Chunk(locations, together) {
		names, err := o.deleteSome(ctx, some)
		deleted = append(deleted, names...)
		errs = append(errs, err)
	}
	return deleted, errors.Join(errs...)
}

func (o *IO) deleteSome(ctx context.Context, locations []string) (deleted []string, err error) {
	var errs []error
	var keys, files []string
	for _, location := range locations {
		key, err := o.key(location)
		if err != nil {
			errs = append(errs, failed("remove", location, err))
			continue
		}
		keys = append(keys, key)
		files = append(files, location)
	}

	_, err = storage.RemoveAll(ctx, o.bucket, slices.Values(keys))
	leftovers := map[string]bool{}
	all := false
	for _, err := range causes(err) {
		errs = append(errs, err)
		if e := (*storage.Error)(nil); errors.As(err, &e) && e.Key != "" {
			leftovers[e.Key] = true
		} else {
			// The error names no file, so each of the files may still exist.
			all = true
		}
	}

	for i, key := range keys {
		if !all && !leftovers[key] {
			deleted = append(deleted, files[i])
		}
	}
	return deleted, errors.Join(errs...)
}

// causes returns the errors that errors.Join has combined.
func causes(err error) []error {
	switch joined := err.(type) {
	case nil:
		return nil
	case interface{ Unwrap() []error }:
		return joined.Unwrap()
	}
	return []error{err}
}
