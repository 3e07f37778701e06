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

// fullName returns the names of the bucket and of a record in it, such as "photos/uploads/1". A record stores its full
// name, which shows whether the record was copied from another bucket.
func (r *records) fullName(name string) string { return r.bucket + "/" + name }

// isOwn reports whether a record was written under this name, and not copied from another bucket.
func (r *records) isOwn(ctx context.Context, name string) (bool, error) {
	stored, err := r.storedFullName(ctx, name, "")
	return stored == r.fullName(name), ignoreCode(err, storage.ObjectNotFound)
}

// storedFullName reads the full name that a record stores, such as "photos/uploads/1" in the bucket photos. It returns
// "" if the object is no record. For a record that an older server wrote without a full name, the name of the bucket is
// empty, as in "/uploads/1". If there is no object, storedFullName fails with ObjectNotFound.
func (r *records) storedFullName(ctx context.Context, name, version string) (string, error) {
	request := &driver.GetRequest{Key: r.prefix + name, Version: version, Length: -1}

	// A staged part is no JSON document, and has its full name in the metadata.
	if isStaged(name) {
		attrs, err := r.driver.Head(ctx, request)
		if err != nil {
			return "", err
		}
		return attrs.Metadata[reservedName], nil
	}

	var record identity
	_, err := r.read(ctx, request, &record)
	if storage.CodeOf(err) == storage.ChecksumMismatch {
		// The document is not that of a record, as decodeRecord has found.
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return record.fullName(name), nil
}

// An identity has the fields of a record that show whether it is that of a bucket, a part or an upload.
type identity struct {
	FullName  string    `json:"Place"`
	Name      string    // of a bucket
	ETag      string    // of a part
	Initiated time.Time // of an upload
}

// fullName returns the full name of the record that is stored under a name. Some records of older servers have none,
// but their other fields show what they are.
func (i *identity) fullName(name string) string {
	if name == bucketRecord && i.Name != "" {
		return i.Name + "/" + name
	}
	isPart := strings.HasPrefix(name, "parts/") && i.ETag != ""
	isUpload := strings.HasPrefix(name, "uploads/") && !i.Initiated.IsZero()
	if i.FullName == "" && (isPart || isUpload) {
		return "/" + name
	}
	return i.FullName
}

// hasOthers reports whether an object with the prefix of the records is not a record. Records of other servers, and
// those that were copied from another bucket, are records, too.
func (r *records) hasOthers(ctx context.Context, isVersioned bool) (bool, error) {
	request := &driver.ListRequest{Prefix: r.prefix, Limit: r.page}
	for {
		entries, token, err := r.stored(ctx, request, isVersioned)
		if err != nil {
			return false, err
		}
		hasOther, err := r.hasOther(ctx, entries)
		if hasOther || err != nil {
			return hasOther, err
		}
		if token == "" {
			return false, nil
		}
		request.Token = token
	}
}

// hasOther reports whether one of the entries is not a record. It reads several of them at a time.
func (r *records) hasOther(ctx context.Context, entries []storage.VersionEntry) (bool, error) {
	var found atomic.Bool
	err := running.Each(ctx, len(entries), maxPartRecords, func(ctx context.Context, i int) error {
		name := entries[i].Key[len(r.prefix):]
		fullName, err := r.storedFullName(ctx, name, entries[i].Version)
		if storage.CodeOf(err) == storage.ObjectNotFound {
			// Another request has removed the record since it was listed.
			return nil
		}
		if err != nil {
			return err
		}
		// The name of the bucket does not matter, because a record of another bucket is also a record.
		isRecord := strings.HasSuffix(fullName, "/"+name)
		if !isRecord {
			found.Store(true)
		}
		return nil
	})
	return found.Load(), err
}

// stored returns one page of the objects with the prefix of the records, and their noncurrent versions if isVersioned
// is true.
func (r *records) stored(
	ctx context.Context, request *driver.ListRequest, isVersioned bool,
) (entries []storage.VersionEntry, token string, err error) {
	if isVersioned {
		return r.storedVersions(ctx, request)
	}
	page, err := r.driver.List(ctx, request)
	if err != nil {
		return nil, "", err
	}
	for _, e := range page.Entries {
		entries = append(entries, storage.VersionEntry{ListEntry: e})
	}
	return entries, page.Token, nil
}

// storedVersions returns one page of the versions of the objects that a request lists. It leaves out delete markers,
// which have no content.
func (r *records) storedVersions(
	ctx context.Context, request *driver.ListRequest,
) (entries []storage.VersionEntry, token string, err error) {
	page, err := r.driver.ListVersions(ctx, request)
	if err != nil {
		return nil, "", err
	}
	for _, e := range page.Entries {
		if !e.IsDeleteMarker {
			entries = append(entries, e)
		}
	}
	return entries, page.Token, nil
}
