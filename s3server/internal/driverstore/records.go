package driverstore

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/crc32c"
	"github.com/omnibucket/storage/internal/running"
	"github.com/omnibucket/storage/s3server/internal/keyname"
	"github.com/omnibucket/storage/s3server/internal/storageerror"
)

// recordPrefix begins the names of records that are among the objects of the bucket. No key of S3
// is stored under this prefix (see [keyname.Mark]), and listings hide it.
const recordPrefix = keyname.Mark + "%s3server/"

// maxRecord is the maximum size of a record in bytes.
const maxRecord = 4 << 20

// lastForm is the last form of a record that this version reads (docs/maintainers/stored-forms.md).
const lastForm = 2

func isRecord(name string) bool { return strings.HasPrefix(name, recordPrefix) }

// records stores small JSON documents about a bucket, such as its settings and uploads. They are
// private objects if the driver supports those, and otherwise objects under recordPrefix.
//
// Each record contains its own bucket and name. A document without them is not a record. A record
// that was copied from another bucket names the other bucket, and therefore has no effect.
type records struct {
	driver driver.Driver
	bucket string
	prefix string
	page   int // maximum number of entries in a page of the driver
}

// arePrivate reports whether the records are private objects, and not among the objects of the bucket.
func (r *records) arePrivate() bool { return r.prefix == "" }

func (r *records) close() {
	if r.arePrivate() {
		_ = r.driver.Close()
	}
}

// openRecords returns the records of a bucket, or nil if the bucket has none and create is false.
func (b *driverBucket) openRecords(ctx context.Context, create bool) (*records, error) {
	if r := b.openedRecords(); r != nil {
		return r, nil
	}
	if err := b.openLock.Lock(ctx); err != nil {
		return nil, storageerror.ToS3(err, b.name)
	}
	defer b.openLock.Unlock()

	// Another call may have opened the records while this one waited.
	if r := b.openedRecords(); r != nil {
		return r, nil
	}

	// Some drivers can store private objects of the server. Otherwise, the records are among the objects of the bucket.
	r := &records{driver: b.driver, bucket: b.name, prefix: recordPrefix}
	if private, ok := b.store.Service.(driver.PrivateDriver); ok {
		drv, err := private.PrivateDriver(ctx, b.name, create)
		isMissing := storage.CodeOf(err) == storage.BucketNotFound
		if isMissing && !create {
			// The first record will create the store of private objects.
			return nil, nil
		}
		if err != nil {
			return nil, storageerror.ToS3(err, b.name)
		}
		r = &records{driver: drv, bucket: b.name}
	}

	desc := r.driver.Describe()
	r.page = pageOf(&desc)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.records = r
	return r, nil
}

// openedRecords returns the records, or nil if openRecords has not opened them.
func (b *driverBucket) openedRecords() *records {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.records
}

// get reads the record with a name and decodes it. If there is none, it fails with ObjectNotFound.
func (r *records) get(ctx context.Context, name string, dst any) (revision string, err error) {
	return r.read(ctx, &driver.GetRequest{Key: r.prefix + name, Length: -1}, dst)
}

// read reads the record that a request names, or one of its versions, and decodes it into dst.
func (r *records) read(ctx context.Context, request *driver.GetRequest, dst any) (revision string, err error) {
	attrs, src, err := r.driver.Get(ctx, request)
	if err != nil {
		return "", err
	}
	document, err := io.ReadAll(io.LimitReader(src, maxRecord))
	err = cmp.Or(err, src.Close())
	if err != nil {
		return attrs.Revision, err
	}
	return attrs.Revision, decodeRecord(request.Key, document, dst)
}

// decodeRecord decodes a record into dst. It fails with ChecksumMismatch if the document is not a record's JSON,
// because a server with encryption or another program has written it.
func decodeRecord(key string, document []byte, dst any) error {
	// A newer version of the server may have written a form that this one cannot read.
	err := argument.CheckForm("", key, document, lastForm)
	if err != nil {
		return err
	}

	err = json.Unmarshal(document, dst)
	var syntaxErr *json.SyntaxError
	var typeErr *json.UnmarshalTypeError
	if errors.As(err, &syntaxErr) || errors.As(err, &typeErr) {
		return &storage.Error{Code: storage.ChecksumMismatch, Err: errors.New("the record cannot be read")}
	}
	return err
}

// revision returns the revision of a record without reading the record.
func (r *records) revision(ctx context.Context, name string) (string, error) {
	attrs, err := r.driver.Head(ctx, &driver.GetRequest{Key: r.prefix + name, Length: -1})
	if err != nil {
		return "", err
	}
	return attrs.Revision, nil
}

// put writes a record as a JSON document, if the condition c holds for the record that it replaces.
func (r *records) put(ctx context.Context, name string, record any, c storage.Condition) (revision string, err error) {
	document, err := json.Marshal(record)
	if err != nil {
		return "", err
	}
	attrs, err := r.driver.Put(ctx, &driver.PutRequest{
		Key:        r.prefix + name,
		Body:       bytes.NewReader(document),
		Size:       int64(len(document)),
		CRC32C:     storage.CRC32C{Sum: crc32c.Sum(document), Known: true},
		Properties: storage.Properties{ContentType: "application/json"},
		Condition:  c,
	})
	if err != nil {
		return "", err
	}
	return attrs.Revision, nil
}

// list yields the names of the records that begin with prefix and are greater than startAfter, until an error.
func (r *records) list(ctx context.Context, prefix, startAfter string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for e, err := range r.entries(ctx, prefix, startAfter) {
			if err != nil {
				yield("", err)
				return
			}
			if !yield(e.Key[len(r.prefix):], nil) {
				return
			}
		}
	}
}

// entries yields the entries of the records whose names begin with prefix and follow startAfter, until an error.
func (r *records) entries(ctx context.Context, prefix, startAfter string) iter.Seq2[*storage.ListEntry, error] {
	return func(yield func(*storage.ListEntry, error) bool) {
		request := &driver.ListRequest{Prefix: r.prefix + prefix, Limit: r.page}
		if startAfter != "" {
			request.StartAfter = r.prefix + startAfter
		}

		// Each pass reads one page.
		for {
			page, err := r.driver.List(ctx, request)
			if err != nil {
				yield(nil, err)
				return
			}
			for i := range page.Entries {
				e := &page.Entries[i]
				if e.Key <= request.StartAfter {
					// A driver may ignore StartAfter.
					continue
				}
				if !yield(e, nil) {
					return
				}
			}

			request.Token = page.Token
			if request.Token == "" {
				return
			}
		}
	}
}

// latest returns the time of the latest write to a record whose name begins with prefix, or the zero time if there is
// no such record.
func (r *records) latest(ctx context.Context, prefix string) (latest time.Time, err error) {
	for e, err := range r.entries(ctx, prefix, "") {
		if err != nil {
			return latest, err
		}
		if e.Modified.After(latest) {
			latest = e.Modified
		}
	}
	return latest, nil
}

// removeAll removes the records whose names begin with prefix. isVersioned tells it that the bucket keeps versions, so
// that it also removes the versions of the records. Records that are private objects have none.
func (r *records) removeAll(ctx context.Context, prefix string, isVersioned bool) error {
	if isVersioned && !r.arePrivate() {
		return r.removeVersions(ctx, prefix)
	}

	for {
		// The listing of the page ends before the removals, so that they cannot disturb it.
		names, err := r.firstPage(ctx, prefix)
		if err != nil {
			return err
		}
		err = running.Each(ctx, len(names), maxPartRecords, func(ctx context.Context, i int) error {
			return r.driver.Delete(ctx, &driver.DeleteRequest{Key: r.prefix + names[i]})
		})
		if err != nil {
			return err
		}
		isLastPage := len(names) < pageLimit
		if isLastPage {
			return nil
		}
	}
}

// firstPage returns the names of the first records whose names begin with prefix, at most pageLimit.
func (r *records) firstPage(ctx context.Context, prefix string) ([]string, error) {
	var names []string
	for name, err := range r.list(ctx, prefix, "") {
		if err != nil {
			return nil, err
		}
		names = append(names, name)
		if len(names) == pageLimit {
			break
		}
	}
	return names, nil
}

// removeVersions removes all versions of the records whose names begin with prefix.
func (r *records) removeVersions(ctx context.Context, prefix string) error {
	for {
		page, err := r.driver.ListVersions(ctx, &driver.ListRequest{Prefix: r.prefix + prefix, Limit: r.page})
		if err != nil || len(page.Entries) == 0 {
			return err
		}
		err = running.Each(ctx, len(page.Entries), maxPartRecords, func(ctx context.Context, i int) error {
			return r.driver.Delete(ctx, &driver.DeleteRequest{Key: page.Entries[i].Key, Version: page.Entries[i].Version})
		})
		if err != nil || page.Token == "" {
			return err
		}
	}
}
