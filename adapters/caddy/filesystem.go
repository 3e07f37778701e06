package caddy

import (
	"errors"
	"io/fs"
	"path/filepath"
	"syscall"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap"

	"github.com/omnibucket/storage"
)

// FileSystem is a read-only file system for Caddy's file_server. Its files are the objects of a
// bucket, and common prefixes that end in "/" are its directories. If an object and a directory
// have the same name, the object is served, and so are the objects in the directory.
//
// If the store cannot be reached, a request fails with status 503. If an answer takes longer than
// Timeout, the request fails with status 504, or its body is cut short.
type FileSystem struct {
	Location

	ctx    caddy.Context
	log    *zap.Logger
	bucket *sharedBucket // nil before Provision
}

var (
	_ caddy.Provisioner     = (*FileSystem)(nil)
	_ caddy.CleanerUpper    = (*FileSystem)(nil)
	_ caddyfile.Unmarshaler = (*FileSystem)(nil)
	_ fs.StatFS             = (*FileSystem)(nil)
)

// CaddyModule returns the module information.
func (FileSystem) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "caddy.fs.omnibucket",
		New: func() caddy.Module { return new(FileSystem) },
	}
}

// UnmarshalCaddyfile reads "omnibucket <address>", and a block with a timeout.
func (f *FileSystem) UnmarshalCaddyfile(d *caddyfile.Dispenser) error { return f.unmarshal(d) }

// Provision opens the bucket. Caddy calls it after it has decoded the configuration of the module.
func (f *FileSystem) Provision(ctx caddy.Context) error {
	bucket, err := f.open(ctx)
	if err != nil {
		return err
	}
	f.ctx = ctx
	f.log = ctx.Logger()
	f.bucket = bucket
	return nil
}

// Cleanup closes the bucket.
func (f *FileSystem) Cleanup() error {
	if f.bucket == nil {
		return nil
	}
	return f.bucket.leave()
}

// Stat returns information about an object, with one request, or about a directory, with two.
func (f *FileSystem) Stat(name string) (fs.FileInfo, error) {
	key, err := keyOf("stat", name)
	if err != nil {
		return nil, err
	}
	if key == "." {
		return directoryInfo(key), nil
	}

	// The timer cancels w.ctx if the request takes too long.
	w := f.newWatch()
	defer w.cancel()
	timer := w.startTimer()
	attrs, err := f.bucket.Attrs(w.ctx, key)
	timer.Stop()
	if err == nil {
		return infoOf(key, attrs), nil
	}

	// Without an object, the key may be that of a directory.
	if err := f.checkDirectory(w, key, err); err != nil {
		return nil, w.failure("stat", name, err)
	}
	return directoryInfo(key), nil
}

// Open opens an object or a directory. It makes as many requests as Stat.
func (f *FileSystem) Open(name string) (fs.File, error) {
	key, err := keyOf("open", name)
	if err != nil {
		return nil, err
	}

	w := f.newWatch()
	file, err := f.openKey(w, key)
	if err != nil {
		w.cancel()
		return nil, w.failure("open", name, err)
	}
	return file, nil
}

// openKey opens the object with this key or, if there is none, the directory. All requests of the open file have the
// context of w, which is canceled if one of them takes too long.
func (f *FileSystem) openKey(w *watch, key string) (fs.File, error) {
	if key == "." {
		return newDirectory(f, w, key), nil
	}

	timer := w.startTimer()
	content, err := storage.NewReaderAt(w.ctx, f.bucket.Bucket, key)
	timer.Stop()
	if err == nil {
		return &objectFile{content: content, key: key, watch: w, log: f.log}, nil
	}

	// Without an object, the key may be that of a directory. If it is not, the error stays the same.
	if err := f.checkDirectory(w, key, err); err != nil {
		return nil, err
	}
	return newDirectory(f, w, key), nil
}

// checkDirectory returns nil if key is a directory. It is called after a read of the object with this
// key has failed with readErr, which it returns if there is no directory.
func (f *FileSystem) checkDirectory(w *watch, key string, readErr error) error {
	// Azure may have an empty directory.
	if errors.Is(readErr, syscall.EISDIR) {
		return nil
	}
	if storage.CodeOf(readErr) != storage.ObjectNotFound {
		return readErr
	}

	timer := w.startTimer()
	defer timer.Stop()
	opts := []storage.ListOption{
		storage.WithPrefix(key + "/"),
		storage.WithDelimiter("/"),
		storage.WithLimit(1),
		storage.WithAnyOrder(),
	}
	for _, err := range f.bucket.List(w.ctx, opts...) {
		if err == nil {
			// The first entry shows that there is a directory.
			return nil
		}
		if storage.CodeOf(err) == storage.InvalidArgument {
			// The prefix is longer than any key, so it has no objects.
			return readErr
		}
		return err
	}
	return readErr
}

// keyOf returns the key of the file with this name, or "." for the root.
func keyOf(op, name string) (string, error) {
	// On Windows, names that Caddy has joined have backslashes.
	key := filepath.ToSlash(name)
	if !fs.ValidPath(key) {
		return "", &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	return key, nil
}
