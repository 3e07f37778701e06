package uploads

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/keyrule"
	"github.com/omnibucket/storage/internal/parallel"
	"github.com/omnibucket/storage/internal/timeid"
	"github.com/omnibucket/storage/uploads/internal/filename"
)

const (
	recordPrefix = "files/records/"
	recordSuffix = ".json"
	// expiryPrefix begins the keys of empty objects, one for each file that expires. The rest of such
	// a key is the time, then the ID.
	expiryPrefix = "files/expiry/"

	readConcurrency = 16
	// scanPage is how many records one call of List reads, whether they match or not.
	// scanBatch is how many of them it takes from the listing at a time.
	scanPage  = 1000
	scanBatch = 100
)

// bucketRecords keeps one small JSON object for each record. Keys are in the order of
// time, because IDs are.
type bucketRecords struct{ bucket storage.ReadWriter }

// BucketRecords keeps the records in a bucket, which may be that of the files, under "files/records/" and
// "files/expiry/". Each record is one JSON object, written conditionally. Only From and To of a [Filter]
// narrow what List reads. For Purpose and User it reads up to 1,000 records in one call: if you often query
// among many, use a database. The bucket needs [storage.ConditionalCreate] and [storage.ConditionalUpdate].
func BucketRecords(bucket storage.ReadWriter) Records { return bucketRecords{bucket} }

type record struct {
	Key     string         `json:"key"`
	Name    string         `json:"name"`
	Type    string         `json:"type"`
	Size    int64          `json:"size"`
	User    string         `json:"user,omitempty"`
	Purpose string         `json:"purpose,omitempty"`
	CRC32C  storage.CRC32C `json:"crc32c,omitzero"`
	Expires time.Time      `json:"expires,omitzero"`
}

func recordKey(id string) string { return recordPrefix + id + recordSuffix }

// expiryKey returns the key that says when a file expires. The order of keys is that of time.
func expiryKey(f *File) string { return expiryPrefix + timeid.Floor(f.Expires) + f.ID }

func (b bucketRecords) write(ctx context.Context, f *File, condition storage.UploadOption) error {
	text, _ := json.Marshal(
		record{f.Key, f.Name, f.ContentType, f.Size, f.User.ID, f.Purpose, f.CRC32C, f.Expires},
	) // fails only for a time that is not Storable
	_, err := b.bucket.Upload(ctx, recordKey(f.ID), bytes.NewReader(text), condition)
	return err
}

// Create stores the time at which the file expires before it stores the record. In the other order, a crash could
// leave a record that never expires.
func (b bucketRecords) Create(ctx context.Context, f *File) error {
	if err := filename.Storable(f.Key, f.Name, f.ContentType, f.User.ID, f.Purpose, f.Expires); err != nil {
		return err
	}
	if !f.Expires.IsZero() {
		if _, err := b.bucket.Upload(ctx, expiryKey(f), strings.NewReader("")); err != nil {
			return err
		}
	}
	return b.write(ctx, f, storage.IfAbsent())
}

func (b bucketRecords) Record(ctx context.Context, id string) (*File, error) {
	f, _, err := b.read(ctx, id)
	return f, err
}

func (b bucketRecords) read(ctx context.Context, id string) (*File, string, error) {
	if keyrule.Write(recordKey(id)) != "" { // no record has such a key; some stores would call it an invalid argument
		return nil, "", storage.ObjectNotFound
	}
	text, attrs, err := storage.ReadAll(ctx, b.bucket, recordKey(id))
	if err != nil {
		return nil, "", err
	}
	var r record
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, "", &storage.Error{
			Code: storage.Internal, Key: recordKey(id),
			Err: errors.New("was not written by package uploads: " + err.Error()),
		}
	}
	return &File{
		ID: id, Key: r.Key, Name: r.Name, ContentType: r.Type, Size: r.Size,
		User: User{ID: r.User}, Purpose: r.Purpose, CRC32C: r.CRC32C, Expires: r.Expires,
	}, attrs.Revision, nil
}

// SetPurpose writes only if the record has not changed since it was read, and
// otherwise reads it again. It does not restore a removed record.
func (b bucketRecords) SetPurpose(ctx context.Context, id, purpose string) (*File, error) {
	if err := filename.Storable(purpose); err != nil {
		return nil, err
	}
	for range maxPieceConflicts {
		f, revision, err := b.read(ctx, id)
		switch {
		case err != nil:
			return nil, err
		case !f.Expires.IsZero():
			return nil, storage.ObjectNotFound
		case f.Purpose == purpose:
			return f, nil
		}
		f.Purpose = purpose
		// The core returns this code only if another write came first.
		if err := b.write(ctx, f, storage.IfRevision(revision)); storage.CodeOf(err) != storage.PreconditionFailed {
			return f, err
		}
	}
	return nil, &storage.Error{
		Code: storage.Unavailable, Key: recordKey(id),
		Err:  errors.New("the object changed " + strconv.Itoa(maxPieceConflicts) + " times while this call updated it"),
		Hint: "check with storagetest that the store supports IfRevision",
	}
}

func (b bucketRecords) Remove(ctx context.Context, f *File) error {
	err := b.bucket.Remove(ctx, recordKey(f.ID))
	if err == nil && !f.Expires.IsZero() {
		err = b.bucket.Remove(ctx, expiryKey(f))
	}
	return err
}

// Expired stops at the first file that expires later.
func (b bucketRecords) Expired(ctx context.Context, now time.Time, limit int) (found []*File, err error) {
	for entry, err := range b.bucket.List(ctx, storage.WithPrefix(expiryPrefix), storage.WithPageSize(limit)) {
		if err != nil {
			return nil, err
		}
		name := strings.TrimPrefix(entry.Key, expiryPrefix)
		at, id := name[:min(timeid.Length, len(name))], name[min(timeid.Length, len(name)):]
		f := &File{ID: id, Expires: timeid.Time(at)}
		switch {
		case !timeid.Valid(id) || entry.Key != expiryKey(f):
			continue // the object is not of this package
		case f.Expires.After(now):
			return found, nil
		}
		if found = append(found, f); len(found) == limit {
			return found, nil
		}
	}
	return found, nil
}

// IDs lists keys, and reads no record.
func (b bucketRecords) IDs(ctx context.Context, after string, limit int) (ids []string, next string, err error) {
	opts := []storage.ListOption{storage.WithPrefix(recordPrefix), storage.WithPageSize(min(limit+1, listPage))}
	if after != "" {
		opts = append(opts, storage.WithStartAfter(recordKey(after)))
	}
	for entry, err := range b.bucket.List(ctx, opts...) {
		if err != nil {
			return nil, "", err
		}
		// One extra entry shows whether there is another page, without another
		// request.
		if len(ids) == limit {
			return ids, ids[limit-1], nil
		}
		if id := strings.TrimSuffix(strings.TrimPrefix(entry.Key, recordPrefix), recordSuffix); timeid.Valid(id) &&
			entry.Key == recordKey(id) {
			ids = append(ids, id)
		}
		if len(ids) == listPage {
			return ids, ids[listPage-1], nil
		}
	}
	return ids, "", nil
}

func (b bucketRecords) List(ctx context.Context, q Filter, after string, limit int) ([]*File, string, error) {
	if err := filename.Storable(q.Purpose, q.User); err != nil {
		return nil, "", err
	}
	if !q.From.IsZero() {
		after = max(after, timeid.Floor(q.From))
	}
	var files []*File
	for scanned := 0; scanned < scanPage; {
		batch := limit - len(files)
		if q.Purpose != "" || q.User != "" || scanned > 0 {
			batch = scanBatch
		}
		ids, next, err := b.IDs(ctx, after, batch)
		if err != nil {
			return nil, "", err
		}
		if n := countBefore(ids, q); n < len(ids) {
			ids, next = ids[:n], ""
		}
		found, err := b.readAll(ctx, ids)
		if err != nil {
			return nil, "", err
		}
		for _, f := range found {
			if f == nil || !q.Matches(f) {
				continue
			}
			if len(files) == limit {
				return files, files[limit-1].ID, nil
			}
			files = append(files, f)
		}
		scanned += len(ids)
		if after = next; next == "" || len(files) == limit {
			break
		}
	}
	return files, after, nil
}

func countBefore(ids []string, q Filter) int {
	if q.To.IsZero() {
		return len(ids)
	}
	n, _ := slices.BinarySearch(ids, timeid.Floor(q.To))
	return n
}

// readAll returns the records; nil stands for a record that was removed meanwhile.
func (b bucketRecords) readAll(ctx context.Context, ids []string) ([]*File, error) {
	files := make([]*File, len(ids))
	return files, parallel.Each(ctx, len(ids), readConcurrency, func(ctx context.Context, i int) (err error) {
		if files[i], err = b.Record(ctx, ids[i]); storage.CodeOf(err) == storage.ObjectNotFound {
			return nil
		}
		return err
	})
}
