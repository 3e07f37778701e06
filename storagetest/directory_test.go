//go:build linux

package storagetest_test

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/storagetest"
)

// A directoryDriver keeps an object as a file of its name and nothing else, as a driver of SFTP
// would. It has no place for attributes, and no conditional writes. Its file system must tell upper
// from lower case, as those of Linux do.
type directoryDriver struct {
	driver.UnimplementedDriver
	objects, temporary string // directories of one file system
}

var _ driver.Driver = (*directoryDriver)(nil)

func newDirectoryDriver(t *testing.T) driver.Driver {
	d := &directoryDriver{objects: filepath.Join(t.TempDir(), "objects"), temporary: t.TempDir()}
	require.NoError(t, os.Mkdir(d.objects, 0o700))
	return d
}

// A store that keeps only bytes passes the whole suite. No case is skipped.
func TestFurtherRunOnADirectoryOfFiles(t *testing.T) {
	testserver.Further(t)
	omitFromSupportTable(t)
	storagetest.RunDriver(t, newDirectoryDriver)
}

// Describe says that objects are listed folder by folder.
func (d *directoryDriver) Describe() driver.Description {
	return driver.Description{
		Provider:    "directory",
		Bucket:      d.objects,
		Location:    d.objects,
		Features:    driver.StreamingPut,
		FolderOrder: true,
		Local:       true,
	}
}

// path returns the path of the file for a key. A key that is not a clean path, such as "a//b", has
// no file.
func (d *directoryDriver) path(key string) (string, error) {
	if !fs.ValidPath(key) {
		return "", storage.ObjectNotFound
	}
	return filepath.Join(d.objects, filepath.FromSlash(key)), nil
}

// missing returns ObjectNotFound for the errors with which a file system says that there is no such file. It returns
// any other error unchanged.
func missing(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ENAMETOOLONG) {
		return storage.ObjectNotFound
	}
	return err
}

// attrsOf returns the attributes of a file. The revision consists of the time and the size of the
// file.
func attrsOf(key string, info fs.FileInfo) *storage.Attrs {
	revision := fmt.Sprintf("%d-%d", info.ModTime().UnixNano(), info.Size())
	return &storage.Attrs{
		Key:      key,
		Size:     info.Size(),
		ETag:     `"` + revision + `"`,
		Revision: revision,
		Modified: info.ModTime().UTC(),
	}
}

// Put writes a temporary file, and renames it to the file of the key.
func (d *directoryDriver) Put(ctx context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	path, err := d.path(r.Key)
	if err != nil || len(r.Native) > 0 {
		return nil, storage.Unsupported
	}
	file, err := os.CreateTemp(d.temporary, "put-")
	if err != nil {
		return nil, err
	}
	// After a rename, the temporary file does not exist any more.
	defer func() {
		_ = os.Remove(file.Name())
	}()
	info, err := d.write(ctx, file, r)
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, err
	}
	if err := d.rename(file.Name(), path); err != nil {
		return nil, err
	}
	return attrsOf(r.Key, info), nil
}

// write stores the body in a temporary file, and compares the checksum before the file gets its
// name.
func (d *directoryDriver) write(
	ctx context.Context, file *os.File, r *driver.PutRequest,
) (fs.FileInfo, error) {
	sum := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	if _, err := io.Copy(io.MultiWriter(file, sum), struct{ io.Reader }{r.Body}); err != nil {
		return nil, err
	}
	if r.CRC32C.Known && r.CRC32C.Sum != sum.Sum32() {
		return nil, storage.ChecksumMismatch
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	// The clock of a file system may stand still between two writes. Both would then have the same
	// revision.
	now := time.Now()
	if err := os.Chtimes(file.Name(), now, now); err != nil {
		return nil, err
	}
	return file.Stat()
}

// rename makes a complete file the object. A path cannot be a file and a folder at the same time.
// If it would have to be both, rename fails with Unsupported.
func (d *directoryDriver) rename(src, dst string) (err error) {
	// Another call may remove the folder before the rename, because the folder is still empty.
	const attempts = 100
	for range attempts {
		err = os.MkdirAll(filepath.Dir(dst), 0o700)
		if err == nil {
			err = os.Rename(src, dst)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	if errors.Is(err, syscall.ENOTDIR) || errors.Is(err, fs.ErrExist) {
		return &storage.Error{
			Code: storage.Unsupported,
			Err:  err,
			Hint: "a file and a folder cannot have the same name",
		}
	}
	return err
}

// open returns a file that meets the conditions of r.
func (d *directoryDriver) open(r *driver.GetRequest) (*os.File, *storage.Attrs, error) {
	path, err := d.path(r.Key)
	if err != nil {
		return nil, nil, err
	}
	if len(r.Native) > 0 {
		return nil, nil, storage.Unsupported
	}

	file, err := os.Open(path)
	if err != nil {
		return nil, nil, missing(err)
	}
	info, err := file.Stat()
	if err == nil && info.IsDir() {
		err = storage.ObjectNotFound
	}
	if err != nil {
		return nil, nil, errors.Join(err, file.Close())
	}

	attrs := attrsOf(r.Key, info)
	switch {
	case r.Condition.Revision != "" && r.Condition.Revision != attrs.Revision:
		err = storage.PreconditionFailed
	case r.Condition.NotRevision == attrs.Revision:
		err = storage.NotModified
	default:
		return file, attrs, nil
	}
	_ = file.Close()
	return nil, nil, err
}

// Get opens the file of the key, and returns a reader of the range.
func (d *directoryDriver) Get(
	_ context.Context, r *driver.GetRequest,
) (*storage.Attrs, io.ReadCloser, error) {
	file, attrs, err := d.open(r)
	if err != nil {
		return nil, nil, err
	}
	start, end, err := r.Span(attrs.Size)
	if err != nil {
		_ = file.Close()
		return nil, nil, err
	}
	return attrs, struct {
		io.Reader
		io.Closer
	}{io.NewSectionReader(file, start, end-start), file}, nil
}

// Head returns the attributes of the file of the key.
func (d *directoryDriver) Head(_ context.Context, r *driver.GetRequest) (*storage.Attrs, error) {
	file, attrs, err := d.open(r)
	if err != nil {
		return nil, err
	}
	return attrs, file.Close()
}

// List returns one folder in the order of its names. The token is the last name.
func (d *directoryDriver) List(ctx context.Context, r *driver.ListRequest) (*storage.Page, error) {
	slash := strings.LastIndex(r.Prefix, "/")
	folder := r.Prefix[:slash+1]
	namePrefix := r.Prefix[slash+1:]

	path := d.objects
	if folder != "" {
		var err error
		path, err = d.path(strings.TrimSuffix(folder, "/"))
		if err != nil {
			return &storage.Page{}, nil
		}
	}
	entries, err := os.ReadDir(path)
	if err = missing(err); err != nil && err != storage.ObjectNotFound {
		return nil, err
	}

	page := &storage.Page{}
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), namePrefix) || entry.Name() <= r.Token {
			continue
		}
		if len(page.Entries) == r.Limit {
			page.Token = strings.TrimSuffix(strings.TrimPrefix(page.Entries[r.Limit-1].Key, folder), "/")
			break
		}
		if entry.IsDir() {
			page.Entries = append(page.Entries, storage.ListEntry{
				Key:      folder + entry.Name() + "/",
				IsPrefix: true,
			})
			continue
		}
		if info, err := entry.Info(); err == nil { // else it was removed meanwhile
			a := attrsOf(folder+entry.Name(), info)
			page.Entries = append(page.Entries, storage.ListEntry{
				Key:      a.Key,
				Size:     a.Size,
				ETag:     a.ETag,
				Revision: a.Revision,
				Modified: a.Modified,
			})
		}
	}
	return page, ctx.Err()
}

// Delete also removes the folders that become empty, because nobody has made them on purpose.
func (d *directoryDriver) Delete(_ context.Context, r *driver.DeleteRequest) error {
	path, err := d.path(r.Key)
	if err != nil {
		return nil
	}
	info, err := os.Lstat(path)
	if err == nil && !info.IsDir() {
		err = os.Remove(path)
	}
	if err = missing(err); err != nil && err != storage.ObjectNotFound {
		return err
	}
	for folder := filepath.Dir(path); folder != d.objects; folder = filepath.Dir(folder) {
		if syscall.Rmdir(folder) != nil {
			break
		}
	}
	return nil
}

// For a key that is too long for the file system, Attrs fails with ObjectNotFound, and Remove
// succeeds.
func TestDirectoryHasNoLongNames(t *testing.T) {
	longName := strings.Repeat("x", 256) // longer than a file system permits
	b := engine.New(newDirectoryDriver(t))

	_, err := b.Attrs(t.Context(), longName+"/y")
	require.ErrorIs(t, err, storage.ObjectNotFound)
	require.NoError(t, b.Remove(t.Context(), longName))
}
