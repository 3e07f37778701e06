package driverstore

import (
	"context"
	"strings"
	"sync/atomic"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/running"
)

// place returns the text that a record stores to identify itself: the bucket and the record's name.
// This text shows whether a record was copied from another bucket.
func (r *records) place(name string) string { return r.bucket + "/" + name }

// isOwn reports whether a record was written under this name, and not copied from another bucket.
func (r *records) isOwn(ctx context.Context, name string) (bool, error) {
	place, err := r.placeIn(ctx, name, "")
	return place == r.place(name), err
}

// placeIn returns the place by which a record identifies itself, a bucket and a name (see place), or "" if the object
// is no record. For a record of an upload without a place, which older servers wrote, the result has no bucket.
func (r *records) placeIn(ctx context.Context, name, version string) (place string, err error) {
	// A staged part is no JSON document, and has its place in the metadata.
	if isStaged(name) {
		attrs, err := r.driver.Head(ctx, &driver.GetRequest{Key: r.prefix + name, Version: version, Length: -1})
		if err != nil {
			return "", ignoreCode(err, storage.ObjectNotFound)
		}
		return attrs.Metadata[reservedName], nil
	}

	// These are the fields by which records of buckets, parts and uploads differ.
	var record struct {
		Place, Name string
		ETag        string    // of a part
		Initiated   time.Time // of an upload
	}
	_, err = r.read(ctx, &driver.GetRequest{Key: r.prefix + name, Version: version, Length: -1}, &record)
	code := storage.CodeOf(err)

	// The object is gone, or was not written as a record.
	if code == storage.ObjectNotFound || code == storage.ChecksumMismatch {
		return "", nil
	}
	if name == bucketRecord && record.Name != "" {
		return record.Name + "/" + name, err
	}

	// Records of older servers have no place. Their other fields show what they are.
	isPart := strings.HasPrefix(name, "parts/") && record.ETag != ""
	isUpload := strings.HasPrefix(name, "uploads/") && !record.Initiated.IsZero()
	if record.Place == "" && (isPart || isUpload) {
		return "/" + name, err
	}

	return record.Place, err
}

// hasOthers reports whether an object with the prefix of the records is no record, neither of this server nor of
// another one, nor copied from another bucket.
func (r *records) hasOthers(ctx context.Context, isVersioned bool) (bool, error) {
	var found atomic.Bool
	check := func(ctx context.Context, key, version string) error {
		name := key[len(r.prefix):]
		place, err := r.placeIn(ctx, name, version)
		isOfBucket := strings.HasSuffix(place, "/"+name) // a record of this bucket or of another one
		if !isOfBucket {
			found.Store(true)
		}
		return err
	}

	// Read several records of a page at a time. The first object that is not a record ends the loop.
	request := &driver.ListRequest{Prefix: r.prefix, Limit: r.page}
	for {
		entries, token, err := r.stored(ctx, request, isVersioned)
		if err == nil {
			err = running.Each(ctx, len(entries), maxPartRecords, func(ctx context.Context, i int) error {
				return check(ctx, entries[i].Key, entries[i].Version)
			})
		}
		request.Token = token
		if err != nil || found.Load() || token == "" {
			return found.Load(), err
		}
	}
}

// stored returns one page of the objects with the prefix of the records, and their noncurrent versions if isVersioned
// is true.
func (r *records) stored(
	ctx context.Context, request *driver.ListRequest, isVersioned bool,
) (found []storage.VersionEntry, token string, err error) {
	// A delete marker has no content, so it is not among the results.
	if isVersioned {
		page, err := r.driver.ListVersions(ctx, request)
		if err != nil {
			return nil, "", err
		}
		for _, e := range page.Entries {
			if !e.IsDeleteMarker {
				found = append(found, e)
			}
		}
		return found, page.Token, nil
	}

	page, err := r.driver.List(ctx, request)
	if err != nil {
		return nil, "", err
	}
	for _, e := range page.Entries {
		found = append(found, storage.VersionEntry{ListEntry: e})
	}
	return found, page.Token, nil
}
