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
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/objectkey"
	"github.com/omnibucket/storage/internal/running"
	"github.com/omnibucket/storage/uploads/internal/filename"
	"github.com/omnibucket/storage/uploads/internal/timeid"
)

const (
	recordPrefix = "files/records/"
	recordSuffix = ".json"
	// expiryPrefix begins the keys of empty objects that say when a file expires. Such a key
	// continues with the time and then the ID of the file.
	expiryPrefix = "files/expiry/"

	// scanPage is how many records one call of List reads at most, including those that do not
	// match. scanBatch is how many records it reads at the same time.
	scanPage  = 1000
	scanBatch = 100
	// lastRecordForm is the last form of a record that this version reads
	// (docs/maintainers/stored-forms.md).
	lastRecordForm = 1
)

// bucketRecords stores each record as one small JSON object. A listing is in the order of time,
// because the IDs in the keys begin with the time.
type bucketRecords struct{ bucket storage.ReadWriter }

// BucketRecords returns Records that stores each record as one JSON object, with conditional
// writes. bucket may be the bucket of the files. The keys begin with "files/records/" and
// "files/expiry/". The bucket needs [storage.ConditionalCreate] and [storage.ConditionalUpdate].
//
// List reads only the records in the time range of the [Filter]. It compares Purpose and User after
// it has read a record. One call reads at most 1,000 records. If you often list files by purpose or
// user, use a database instead.
func BucketRecords(bucket storage.ReadWriter) Records { return bucketRecords{bucket} }

// A record is the JSON of one record.
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

// expiryKey returns the key of the object that says when f expires. A listing of these keys begins
// with the file that expires first.
func expiryKey(f *File) string { return expiryPrefix + timeid.Floor(f.Expires) + f.ID }

// writeRecord stores the record of f if condition holds.
func (b bucketRecords) writeRecord(ctx context.Context, f *File, condition storage.UploadOption) error {
	// Marshal fails only for a time that filename.Storable rejects.
	text, _ := json.Marshal(record{
		Key:     f.Key,
		Name:    f.Name,
		Type:    f.ContentType,
		Size:    f.Size,
		User:    f.User.ID,
		Purpose: f.Purpose,
		CRC32C:  f.CRC32C,
		Expires: f.Expires,
	})
	_, err := b.bucket.Upload(ctx, recordKey(f.ID), bytes.NewReader(text), condition)
	return err
}

// Create stores the time of expiry before the record. In the opposite order, a crash between the
// two writes could leave a record that never expires.
func (b bucketRecords) Create(ctx context.Context, f *File) error {
	err := filename.Storable(f.Key, f.Name, f.ContentType, f.User.ID, f.Purpose, f.Expires)
	if err != nil {
		return err
	}
	if !f.Expires.IsZero() {
		_, err := b.bucket.Upload(ctx, expiryKey(f), strings.NewReader(""))
		if err != nil {
			return err
		}
	}
	return b.writeRecord(ctx, f, storage.IfAbsent())
}

func (b bucketRecords) Record(ctx context.Context, id string) (*File, error) {
	f, _, err := b.readRecord(ctx, id)
	return f, err
}

// readRecord returns the file in the record with this ID, and the revision of the record.
func (b bucketRecords) readRecord(ctx context.Context, id string) (*File, string, error) {
	// If the key is invalid, no record can have it. Send no request, because some stores would not
	// return ObjectNotFound for such a key.
	if objectkey.WriteRule(recordKey(id)) != "" {
		return nil, "", storage.ObjectNotFound
	}

	// Read the record, and refuse one that a newer version of this package has written.
	text, attrs, err := storage.ReadAll(ctx, b.bucket, recordKey(id))
	if err != nil {
		return nil, "", err
	}
	if err := argument.CheckForm("uploads", recordKey(id), text, lastRecordForm); err != nil {
		return nil, "", err
	}

	var r record
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, "", &storage.Error{
			Code: storage.Internal,
			Key:  recordKey(id),
			Err:  errors.New("was not written by package uploads: " + err.Error()),
		}
	}

	return &File{
		ID:          id,
		Key:         r.Key,
		Name:        r.Name,
		ContentType: r.Type,
		Size:        r.Size,
		User:        User{ID: r.User},
		Purpose:     r.Purpose,
		CRC32C:      r.CRC32C,
		Expires:     r.Expires,
	}, attrs.Revision, nil
}

// SetPurpose sets the purpose of a permanent file in its record. If another write changes the record first,
// it reads the record again and retries, and never restores a removed record.
func (b bucketRecords) SetPurpose(ctx context.Context, id, purpose string) (*File, error) {
	if err := filename.Storable(purpose); err != nil {
		return nil, err
	}
	for range maxRecordConflicts {
		f, revision, err := b.readRecord(ctx, id)
		if err != nil {
			return nil, err
		}

		// For this call, a temporary file does not exist.
		isTemporary := !f.Expires.IsZero()
		if isTemporary {
			return nil, storage.ObjectNotFound
		}
		if f.Purpose == purpose {
			return f, nil
		}

		f.Purpose = purpose
		err = b.writeRecord(ctx, f, storage.IfRevision(revision))
		isConflict := storage.CodeOf(err) == storage.PreconditionFailed
		if !isConflict {
			return f, err
		}
		// Another write came first, so read the record again.
	}
	return nil, &storage.Error{
		Code: storage.Unavailable,
		Key:  recordKey(id),
		Err:  errors.New("the object changed " + strconv.Itoa(maxRecordConflicts) + " times while this call updated it"),
		Hint: "check with storagetest that the store supports IfRevision",
	}
}

// Remove removes the record of a file. If f expires, Remove first reads the record, and fails with
// PreconditionFailed if the file is permanent by now. A damaged or missing record does not stop it.
//
// The removal needs no condition on the revision: no method of this type makes an expiring file
// permanent, so that cannot happen between the read and the removal.
func (b bucketRecords) Remove(ctx context.Context, f *File) error {
	if f.Expires.IsZero() {
		return b.bucket.Remove(ctx, recordKey(f.ID))
	}

	current, err := b.Record(ctx, f.ID)
	if err == nil && current.Expires.IsZero() {
		return storage.PreconditionFailed
	}
	isDamaged := storage.CodeOf(err) == storage.Internal
	isMissing := storage.CodeOf(err) == storage.ObjectNotFound
	if err != nil && !isDamaged && !isMissing {
		return err
	}

	if err := b.bucket.Remove(ctx, recordKey(f.ID)); err != nil {
		return err
	}
	return b.bucket.Remove(ctx, expiryKey(f))
}

// Expired returns the files whose expiry keys name a time that is not after now. The keys are listed in
// the order of time.
func (b bucketRecords) Expired(ctx context.Context, now time.Time, limit int) ([]*File, error) {
	var expired []*File
	for entry, err := range b.bucket.List(ctx, storage.WithPrefix(expiryPrefix), storage.WithPageSize(limit)) {
		if err != nil {
			return nil, err
		}
		f := parseExpiryKey(entry.Key)
		if f == nil {
			// This package did not write the object.
			continue
		}
		if f.Expires.After(now) {
			return expired, nil
		}
		expired = append(expired, f)
		if len(expired) == limit {
			return expired, nil
		}
	}
	return expired, nil
}

// parseExpiryKey returns a File with the ID and the time in an expiry key, or nil if key is not such a
// key.
func parseExpiryKey(key string) *File {
	name := strings.TrimPrefix(key, expiryPrefix)
	if len(name) < timeid.Length {
		return nil
	}
	f := &File{
		ID:      name[timeid.Length:],
		Expires: timeid.Time(name[:timeid.Length]),
	}
	if !timeid.Valid(f.ID) || key != expiryKey(f) {
		return nil
	}
	return f
}

// IDs takes the IDs from the keys in a listing, without reading the records.
func (b bucketRecords) IDs(ctx context.Context, startAfter string, limit int) (ids []string, next string, err error) {
	opts := []storage.ListOption{storage.WithPrefix(recordPrefix), storage.WithPageSize(min(limit+1, listPage))}
	if startAfter != "" {
		opts = append(opts, storage.WithStartAfter(recordKey(startAfter)))
	}
	for entry, err := range b.bucket.List(ctx, opts...) {
		if err != nil {
			return nil, "", err
		}
		// The entry after the last of the page shows that there is a next page.
		if len(ids) == limit {
			return ids, ids[limit-1], nil
		}
		id := strings.TrimSuffix(strings.TrimPrefix(entry.Key, recordPrefix), recordSuffix)
		if timeid.Valid(id) && entry.Key == recordKey(id) {
			ids = append(ids, id)
		}
		// A call returns at most listPage IDs, even if limit is larger.
		if len(ids) == listPage {
			return ids, ids[listPage-1], nil
		}
	}
	return ids, "", nil
}

// List returns up to limit files that match filter, and the ID to start after in the next call, or "" at the
// end. It reads batches of records, but at most scanPage in all.
func (b bucketRecords) List(ctx context.Context, filter Filter, startAfter string, limit int) ([]*File, string, error) {
	if err := filename.Storable(filter.Purpose, filter.User); err != nil {
		return nil, "", err
	}
	if !filter.From.IsZero() {
		startAfter = max(startAfter, timeid.Floor(filter.From))
	}

	// If probably all records match, the first batch is a whole page.
	batch := scanBatch
	if filter.Purpose == "" && filter.User == "" {
		batch = limit
	}
	var files []*File
	scanned := 0
	for scanned < scanPage {
		ids, next, err := b.IDs(ctx, startAfter, batch)
		if err != nil {
			return nil, "", err
		}

		// The IDs are in the order of time, so no later one matches.
		count := countBefore(ids, filter.To)
		if count < len(ids) {
			ids = ids[:count]
			next = ""
		}

		found, err := b.readMatching(ctx, ids, filter)
		if err != nil {
			return nil, "", err
		}
		files = append(files, found...)
		if len(files) > limit {
			// More files match than the page has, so the next page begins after its last one.
			return files[:limit], files[limit-1].ID, nil
		}
		if next == "" || len(files) == limit {
			return files, next, nil
		}

		scanned += len(ids)
		startAfter = next
		batch = scanBatch
	}
	return files, startAfter, nil
}

// readMatching returns the files with these IDs that match filter.
func (b bucketRecords) readMatching(ctx context.Context, ids []string, filter Filter) ([]*File, error) {
	files, err := b.readAll(ctx, ids)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(files, func(f *File) bool {
		// A record that was removed since its ID was listed is nil.
		return f == nil || !filter.Matches(f)
	}), nil
}

// countBefore returns how many of the sorted IDs are of files made before end, or of all files if end is
// zero.
func countBefore(ids []string, end time.Time) int {
	if end.IsZero() {
		return len(ids)
	}
	count, _ := slices.BinarySearch(ids, timeid.Floor(end))
	return count
}

// readAll returns the files with these IDs in the same order, with nil for a record that was removed
// meanwhile.
func (b bucketRecords) readAll(ctx context.Context, ids []string) ([]*File, error) {
	files := make([]*File, len(ids))
	err := running.Each(ctx, len(ids), readConcurrency, func(ctx context.Context, i int) error {
		f, err := b.Record(ctx, ids[i])
		if storage.CodeOf(err) == storage.ObjectNotFound {
			return nil
		}
		if err != nil {
			return err
		}
		files[i] = f
		return nil
	})
	return files, err
}

// maxRecordConflicts limits how often one call reads a record again because another call changed it.
const maxRecordConflicts = 1000
