package uploads

import (
	"context"
	"errors"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads/internal/ledger"
)

// files ends the uploads of files, and removes files. It keeps what a file is in three places equal: the
// object, the record and the count.
type files struct {
	setup   *setup
	counter *counter // nil if Config.Allowance is nil
}

// deleteKey removes the file with this key and its record or, if the record is missing, the bytes that
// an interrupted call may have left.
func (s *files) deleteKey(ctx context.Context, key string, user User) error {
	if s.setup.config.Records == nil {
		return s.removeCounted(ctx, &File{Key: key, User: user})
	}

	f, err := s.setup.config.Records.Record(ctx, s.setup.pattern.ID(key))
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return s.removeBytes(ctx, key)
	}
	if err != nil {
		return err
	}
	if f.Key != key {
		// The ID has a record with another key, so there is no file with this key.
		return nil
	}
	return s.removeCounted(ctx, f)
}

// errKept means that a file was not removed, because a transaction has made the file permanent. The
// transaction did that after the record of the file was read.
var errKept = &storage.Error{Code: storage.PreconditionFailed, Err: errors.New("the file was kept since it was read")}

// removeCounted removes a file and its record, if any, and subtracts the file once from the count of its
// user, even if several calls run concurrently. If the process is killed, the file counts until a Sweep after
// the end of the lease.
func (s *files) removeCounted(ctx context.Context, f *File) error {
	if s.counter == nil {
		return s.removeStored(ctx, f)
	}

	// Look up the size and the user of the file.
	stored, err := s.lookUp(ctx, f)
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return s.removeLeftovers(ctx, f)
	}
	if err != nil {
		return err
	}

	// Subtract the file, and keep an entry in the ledger until it is removed.
	entry := ledger.Entry{Bytes: stored.Size, Files: 1, Stem: s.setup.pattern.Stem(stored.Key)}
	removal, err := s.counter.beginRemoval(ctx, stored, entry)
	if err != nil {
		return err
	}
	if removal.Uncounted {
		// The upload of the file has not ended, so there is nothing to subtract.
		return s.removeStored(ctx, f)
	}

	// The lease keeps a Sweep from dropping the entry.
	lease := s.counter.newLease(stored.User.ID)
	lease.add(ctx, removal.Name())
	defer lease.end()
	return s.removeSubtracted(ctx, f, removal)
}

// removeSubtracted removes a file that this call or another one has subtracted from the count of its user, and
// ends the removal in the ledger. It adds the file to the count again if that was wrong.
func (s *files) removeSubtracted(ctx context.Context, f *File, removal ledger.Removal) error {
	// If the file is gone, another call may have removed and subtracted it before this removal began.
	_, err := s.lookUp(ctx, f)
	exists := err == nil
	if err != nil && storage.CodeOf(err) != storage.ObjectNotFound {
		return err
	}

	// If a change of the ledger fails below, Sweep counts the files of the user again.
	err = s.removeStored(ctx, f)
	if err == errKept {
		// The file stays, and still counts.
		_ = s.counter.book.UndoRemoval(ctx, removal)
		return err
	}
	if err != nil {
		return err
	}
	if exists {
		_ = s.counter.book.EndRemoval(ctx, removal)
		return nil
	}
	if !removal.Joined {
		// The other call has subtracted the file, so this removal has subtracted it a second time.
		_ = s.counter.book.UndoRemoval(ctx, removal)
	}
	return nil
}

// lookUp returns the stored file that has the ID of f or, without records, the key of f. It fails with
// ObjectNotFound if there is none.
func (s *files) lookUp(ctx context.Context, f *File) (*File, error) {
	if s.setup.config.Records != nil {
		return s.setup.config.Records.Record(ctx, f.ID)
	}
	attrs, err := s.setup.bucket.Attrs(ctx, f.Key)
	if err != nil {
		return nil, err
	}
	return &File{User: f.User, Key: f.Key, Size: attrs.Size}, nil
}

// removeStored removes a file and its record, if any, but leaves the counts as they are.
func (s *files) removeStored(ctx context.Context, f *File) error {
	if s.setup.config.Records == nil {
		return s.removeBytes(ctx, f.Key)
	}
	return s.removeRecorded(ctx, f)
}

// removeLeftovers removes the bytes that an interrupted call has left of a file that does not exist. It
// removes no record, because an upload may be making the file at the same time.
func (s *files) removeLeftovers(ctx context.Context, f *File) error {
	if s.setup.config.Records == nil {
		return nil
	}
	return s.removeContent(ctx, f)
}

// removeRecorded removes the record of a file, and then its bytes.
func (s *files) removeRecorded(ctx context.Context, f *File) error {
	err := s.setup.config.Records.Remove(ctx, f)
	if storage.CodeOf(err) == storage.PreconditionFailed {
		// A transaction has made the file permanent since f was read.
		return errKept
	}
	if err != nil {
		return err
	}
	return s.removeContent(ctx, f)
}

// removeContent removes the bytes of a file without a record, which it finds by the ID if f has no key.
func (s *files) removeContent(ctx context.Context, f *File) error {
	if f.Key != "" {
		return s.removeBytes(ctx, f.Key)
	}

	// Keys begin with a fixed text and the ID, as New requires for records.
	prefix, _ := s.setup.pattern.Ordered()
	for entry, err := range s.setup.bucket.List(ctx, storage.WithPrefix(prefix+f.ID), storage.WithAnyOrder()) {
		if err != nil {
			return err
		}
		if err := s.removeBytes(ctx, entry.Key); err != nil {
			return err
		}
	}
	return nil
}

// removeBytes removes the object of a file, after Config.Removed has removed what was derived from it.
func (s *files) removeBytes(ctx context.Context, key string) error {
	if s.setup.config.Removed != nil {
		if err := s.setup.config.Removed(ctx, key); err != nil {
			return err
		}
	}
	return s.setup.bucket.Remove(ctx, key)
}

// removeEmpty removes the record of f if its bytes are missing, and reports whether it has done so.
func (s *files) removeEmpty(ctx context.Context, f *File) (removed bool, err error) {
	exists, err := s.setup.bucket.Exists(ctx, f.Key)
	if err != nil || exists {
		return false, err
	}
	err = s.setup.config.Records.Remove(ctx, f)
	return err == nil, err
}

// recordWithBytes returns the record of a file, or nil if there is none or its bytes are missing. It removes
// a record without bytes, which a slow call may have created after the file was removed, and then returns true.
func (s *files) recordWithBytes(ctx context.Context, id string) (f *File, removed bool, err error) {
	f, err = s.setup.config.Records.Record(ctx, id)
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}

	exists, err := s.setup.bucket.Exists(ctx, f.Key)
	if err != nil || exists {
		return f, false, err
	}

	err = s.removeRecordOnly(ctx, f)
	return nil, err == nil, err
}

// removeRecordOnly removes the record of a file that has no bytes. It is not known whether the file was
// counted, so the next Sweep must count the files of the user again.
func (s *files) removeRecordOnly(ctx context.Context, f *File) error {
	records := s.setup.config.Records
	if s.counter == nil {
		return records.Remove(ctx, f)
	}

	// Without bytes and files, the entry of the removal subtracts nothing from the count.
	removal, err := s.counter.beginRemoval(ctx, f, ledger.Entry{})
	if err != nil {
		return err
	}
	if err := records.Remove(ctx, f); err != nil {
		return err
	}
	if removal.Uncounted {
		// The file has a reservation. Its upload marks the ledger when it ends.
		return nil
	}

	// Doubt marks the ledger for the next Sweep.
	if err := s.counter.book.Doubt(ctx, f.User.ID); err != nil {
		return err
	}
	if removal.Joined {
		// Another call has begun the removal, and ends it.
		return nil
	}
	return s.counter.book.EndRemoval(ctx, removal)
}
