package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"path"

	spf13 "github.com/spf13/afero"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/adapters/afero"
)

// An aferoStore makes the operations through a file system of afero. It ignores contexts, because
// afero's calls have none.
type aferoStore struct {
	files  spf13.Fs
	buffer []byte // used by readRange, so that its allocation is not measured
}

func newAferoStore(ctx context.Context, b storage.Bucket) aferoStore {
	return aferoStore{afero.New(ctx, b), make([]byte, 64*kilobyte)}
}

func (s aferoStore) put(_ context.Context, key string, data []byte) error {
	return spf13.WriteFile(s.files, key, data, 0o644)
}

func (s aferoStore) upload(_ context.Context, key string, body io.Reader) error {
	return spf13.WriteReader(s.files, key, body)
}

func (s aferoStore) get(_ context.Context, key string) (int, error) {
	data, err := spf13.ReadFile(s.files, key)
	return len(data), err
}

func (s aferoStore) download(_ context.Context, key string, dst io.Writer) (int64, error) {
	f, err := s.files.Open(key)
	return copyAndClose(dst, f, err)
}

func (s aferoStore) attrs(_ context.Context, key string) error {
	_, err := s.files.Stat(key)
	return err
}

func (s aferoStore) list(_ context.Context, prefix string, each func()) error {
	entries, err := spf13.ReadDir(s.files, path.Clean(prefix))
	for range entries {
		each()
	}
	return err
}

func (aferoStore) close() error { return nil }

func (s aferoStore) readRange(_ context.Context, key string, offset, length int64) error {
	f, err := s.files.Open(key)
	if err != nil {
		return err
	}
	_, err = f.ReadAt(s.buffer[:length], offset)
	return errors.Join(err, f.Close())
}

func (s aferoStore) exists(_ context.Context, key string) (bool, error) {
	_, err := s.files.Stat(key)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

func (s aferoStore) remove(_ context.Context, key string) error { return s.files.Remove(key) }

func (aferoStore) copyTo(context.Context, string, string) error { return errors.ErrUnsupported }
