package uploads

import (
	"context"

	"github.com/omnibucket/storage"
)

// files ends the uploads of files, and removes files. It keeps what a file is in three places equal: the
// object, the record and the count.
type files struct {
	setup   *setup
	counter *counter // nil if Config.Allowance is nil
}

// deleteKey removes the file with this key, and its record. If the record is missing, it removes
// the bytes that an interrupted call may have left.
func (s *files) deleteKey(ctx context.Context, key string, user User) error {
	if s.setup.config.Records == nil {
		return s.removeCounted(ctx, &File{Key: key, User: user})
	}
	f, err := s.setup.config.Records.Record(ctx, s.setup.pattern.ID(key))
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return s.removeBytes(ctx, key)
	}
	if err != nil || f.Key != key {
		// The ID has a record with another key, so there is no file with this key.
		return err
	}
	return s.removeCounted(ctx, f)
}

// removeCounted removes a file and its record, if any, and subtracts the file from the count of its
// user.
func (s *files) removeCounted(ctx context.Context, f *File) error {
	if s.setup.config.Records == nil {
		remove := func(ctx context.Context) error { return s.removeBytes(ctx, f.Key) }
		nothing := func(context.Context) error { return nil }
		return s.counter.countOff(ctx, s.counter.findByKey(f.Key, f.User), remove, nothing)
	}
	remove := func(ctx context.Context) error { return s.removeRecorded(ctx, f) }
	leave := func(ctx context.Context) error { return s.removeContent(ctx, f) }
	return s.counter.countOff(ctx, s.counter.findByID(f.ID), remove, leave)
}

// removeRecorded removes the record of a file, and then its bytes.
func (s *files) removeRecorded(ctx context.Context, f *File) error {
	err := s.setup.config.Records.Remove(ctx, f)
	if storage.CodeOf(err) == storage.PreconditionFailed {
		return errKept
	}
	if err != nil {
		return err
	}
	return s.removeContent(ctx, f)
}

// removeContent removes the bytes of a file that has no record. If f has no Key, it finds the bytes by
// the ID.
func (s *files) removeContent(ctx context.Context, f *File) error {
	if f.Key != "" {
		return s.removeBytes(ctx, f.Key)
	}
	prefix, _ := s.setup.pattern.Ordered()
	for entry, err := range s.setup.bucket.List(ctx, storage.WithPrefix(prefix+f.ID), storage.WithAnyOrder()) {
		if err == nil {
			err = s.removeBytes(ctx, entry.Key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// removeBytes calls Config.Removed, which removes what was derived from the file, and then removes
// the file's object.
func (s *files) removeBytes(ctx context.Context, key string) error {
	if s.setup.config.Removed != nil {
		if err := s.setup.config.Removed(ctx, key); err != nil {
			return err
		}
	}
	return s.setup.bucket.Remove(ctx, key)
}

// removeEmpty removes a record whose bytes are missing. If the bytes exist, or if that cannot be
// determined, it returns false.
func (s *files) removeEmpty(ctx context.Context, f *File) (removed bool, err error) {
	exists, err := s.setup.bucket.Exists(ctx, f.Key)
	if err != nil || exists {
		return false, err
	}
	err = s.setup.config.Records.Remove(ctx, f)
	return err == nil, err
}

// recordWithBytes returns the record of a file, if the bytes of the file exist. If there is no record, f is
// nil. If there is a record without bytes, recordWithBytes removes the record. A slow call may have created
// the record after the file was removed.
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
	remove := func(ctx context.Context) error { return s.setup.config.Records.Remove(ctx, f) }
	err = s.counter.countAgain(ctx, f, remove)
	return nil, err == nil, err
}
