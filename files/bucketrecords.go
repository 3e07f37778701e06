package files

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/parallel"
	"github.com/omnibucket/storage/internal/timeid"
)

const (
	clientRecordsPrefix = "files/records/client/"
	tempRecordsPrefix   = "files/records/temp/"
	recordSuffix        = ".json"

	readConcurrency = 16
	// scanPage is how many records one call of List reads, whether they match or not.
	// scanBatch is how many of them it takes from the listing at a time.
	scanPage  = 1000
	scanBatch = 100
)

var _ Records = bucketRecords{}

// bucketRecords keeps one small JSON object for each record. Keys are in the order of
// time, because IDs are.
type bucketRecords struct {
	bucket storage.ReadWriter
	prefix string
	// creates says whether records are created with IfAbsent. The record of a temp
	// file does not need it, because its ID is random and nothing changes it.
	creates bool
}

// BucketRecords keeps the records in a bucket, which may be the bucket of the bytes.
// Each record is one JSON object, written conditionally, so that any number of
// processes may use them. Only From and To of a [ListFilter] narrow what List reads.
// For Purpose and UploadedBy it reads up to 1,000 records in one call: if you often
// query among many, use a database.
//
// If the bucket lacks [storage.ConditionalCreate] or [storage.ConditionalUpdate],
// writes fail with Unsupported.
func BucketRecords(bucket storage.ReadWriter) Records {
	return bucketRecords{bucket, clientRecordsPrefix, true}
}

func (b bucketRecords) key(id string) string { return b.prefix + id + recordSuffix }

func (b bucketRecords) Create(ctx context.Context, r *Record) error {
	text, err := json.Marshal(r)
	if err != nil {
		return &storage.Error{Code: storage.Internal, Err: err}
	}
	var opts []storage.UploadOption
	if b.creates {
		opts = append(opts, storage.IfAbsent())
	}
	_, err = b.bucket.Upload(ctx, b.key(r.ID), bytes.NewReader(text), opts...)
	return err
}

func (b bucketRecords) Record(ctx context.Context, id string) (*Record, error) {
	r, _, err := readRecord(ctx, b.bucket, b.key(id))
	return r, err
}

// readRecord reads a record that this package has written, and its revision.
func readRecord(ctx context.Context, b storage.Downloader, key string) (*Record, string, error) {
	text, attrs, err := storage.ReadAll(ctx, b, key)
	if err != nil {
		return nil, "", err
	}
	r := new(Record)
	if err := json.Unmarshal(text, r); err != nil {
		return nil, "", &storage.Error{Code: storage.Internal, Key: key, Err: errors.New("was not written by package files: " + err.Error())}
	}
	return r, attrs.Revision, nil
}

// SetPurpose writes only if the record has not changed since it was read, and
// otherwise reads it again. It does not restore a removed record.
func (b bucketRecords) SetPurpose(ctx context.Context, id, purpose string) (*Record, error) {
	for range maxConflicts {
		r, revision, err := readRecord(ctx, b.bucket, b.key(id))
		if err != nil {
			return nil, err
		}
		if r.Purpose == purpose {
			return r, nil
		}
		r.Purpose = purpose
		text, err := json.Marshal(r)
		if err != nil {
			return nil, &storage.Error{Code: storage.Internal, Err: err}
		}
		_, err = b.bucket.Upload(ctx, b.key(id), bytes.NewReader(text), storage.IfRevision(revision))
		if err == nil {
			return r, nil
		}
		// The core returns this code only if another write came first.
		if storage.CodeOf(err) != storage.PreconditionFailed {
			return nil, err
		}
	}
	return nil, &storage.Error{
		Code: storage.Unavailable, Key: b.key(id), Err: errors.New("the object changed " + strconv.Itoa(maxConflicts) + " times while this call updated it"),
		Hint: "check with storagetest that the store supports IfRevision",
	}
}

// maxConflicts limits how often one call reads a record again because another call
// changed it. Hundreds of calls at once stay below the limit; a store with broken
// conditions does not.
const maxConflicts = 1000

func (b bucketRecords) Remove(ctx context.Context, id string) error {
	return b.bucket.Remove(ctx, b.key(id))
}

// IDs lists keys, and reads no record.
func (b bucketRecords) IDs(ctx context.Context, after string, limit int) (ids []string, next string, err error) {
	opts := []storage.ListOption{storage.WithPrefix(b.prefix), storage.WithPageSize(min(limit+1, maxPage))}
	if after != "" {
		opts = append(opts, storage.WithStartAfter(b.key(after)))
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
		if id, ok := b.id(entry.Key); ok {
			ids = append(ids, id)
		}
		if len(ids) == maxPage {
			return ids, ids[maxPage-1], nil
		}
	}
	return ids, "", nil
}

// id returns false for an object that this package did not write.
func (b bucketRecords) id(key string) (string, bool) {
	id := strings.TrimSuffix(strings.TrimPrefix(key, b.prefix), recordSuffix)
	return id, validateID(id) == nil && key == b.key(id)
}

func (b bucketRecords) List(ctx context.Context, f ListFilter, after string, limit int) ([]*Record, string, error) {
	if !f.From.IsZero() {
		after = max(after, timeid.Floor(f.From))
	}
	var records []*Record
	for scanned := 0; scanned < scanPage; {
		batch := limit - len(records)
		if f.Purpose != "" || f.UploadedBy != "" {
			batch = scanBatch
		}
		ids, next, err := b.IDs(ctx, after, batch)
		if err != nil {
			return nil, "", err
		}
		if n := countBefore(ids, f); n < len(ids) {
			ids, next = ids[:n], ""
		}
		found, err := b.readAll(ctx, ids)
		if err != nil {
			return nil, "", err
		}
		for _, r := range found {
			if r == nil || !f.Matches(r) {
				continue
			}
			if len(records) == limit {
				return records, records[limit-1].ID, nil
			}
			records = append(records, r)
		}
		scanned += len(ids)
		if after = next; next == "" || len(records) == limit {
			break
		}
	}
	return records, after, nil
}

// countBefore returns how many of ids are before f.To.
func countBefore(ids []string, f ListFilter) int {
	if f.To.IsZero() {
		return len(ids)
	}
	end := timeid.Floor(f.To)
	n := len(ids)
	for n > 0 && ids[n-1] >= end {
		n--
	}
	return n
}

// readAll returns the records; nil stands for one that was removed meanwhile.
func (b bucketRecords) readAll(ctx context.Context, ids []string) ([]*Record, error) {
	records := make([]*Record, len(ids))
	errs := parallel.All(len(ids), readConcurrency, func(i int) (err error) {
		if records[i], err = b.Record(ctx, ids[i]); storage.CodeOf(err) == storage.ObjectNotFound {
			return nil
		}
		return err
	})
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return records, nil
}
