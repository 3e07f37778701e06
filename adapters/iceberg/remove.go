package iceberg

import (
	"context"
	"errors"
	"slices"

	"github.com/omnibucket/storage"
)

// maxTogether is the largest number of files in one call of RemoveAll. RemoveAll stops after 1,000
// failures. A call with at most 1,000 files therefore tries to remove every file.
const maxTogether = 1000

// DeleteFiles removes files, in batches if the provider supports them, and continues after a failure.
// A file that does not exist counts as deleted. err joins the errors of the files that were not
// deleted.
func (o *IO) DeleteFiles(ctx context.Context, locations []string) (deleted []string, err error) {
	var errs []error
	for batch := range slices.Chunk(locations, maxTogether) {
		deletedInBatch, err := o.deleteBatch(ctx, batch)
		deleted = append(deleted, deletedInBatch...)
		errs = append(errs, err)
	}
	return deleted, errors.Join(errs...)
}

// deleteBatch removes at most maxTogether files, and returns the locations of the removed ones.
func (o *IO) deleteBatch(ctx context.Context, locations []string) (deleted []string, err error) {
	var errs []error
	var keys []string
	var locationsOfKeys []string // the location of keys[i] is locationsOfKeys[i]
	for _, location := range locations {
		key, err := o.key(location)
		if err != nil {
			errs = append(errs, pathError("remove", location, err))
			continue
		}
		keys = append(keys, key)
		locationsOfKeys = append(locationsOfKeys, location)
	}

	_, removeErr := storage.RemoveAll(ctx, o.bucket, slices.Values(keys))

	// Find out which files could not be removed.
	failedKeys := map[string]bool{}
	mayHaveFailedAll := false
	for _, cause := range causes(removeErr) {
		errs = append(errs, cause)
		storageErr, ok := errors.AsType[*storage.Error](cause)
		namesFile := ok && storageErr.Key != ""
		if namesFile {
			failedKeys[storageErr.Key] = true
		} else {
			mayHaveFailedAll = true
		}
	}
	if mayHaveFailedAll {
		return nil, errors.Join(errs...)
	}

	for i, key := range keys {
		if !failedKeys[key] {
			deleted = append(deleted, locationsOfKeys[i])
		}
	}
	return deleted, errors.Join(errs...)
}

// causes returns the errors that errors.Join has combined in err, or err alone.
func causes(err error) []error {
	switch joined := err.(type) {
	case nil:
		return nil
	case interface{ Unwrap() []error }:
		return joined.Unwrap()
	}
	return []error{err}
}
