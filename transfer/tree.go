package transfer

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/omnibucket/storage/internal/crc32c"
	"github.com/omnibucket/storage/internal/durable"
)

const (
	// reservedName is the directory for a local bucket's own files, such as a signing
	// key.
	reservedName = ".omnibucket"
	// tempPrefix is the prefix of temporary files.
	tempPrefix = ".omnibucket-"
	// staleAfter is the age at which a temporary file belongs to a dead process: a
	// live transfer gives up earlier.
	staleAfter = 15 * time.Minute
)

var _ openedEnd = (*tree)(nil)

// A tree is a directory. Files are opened through root, so that no name or link leads
// outside.
type tree struct {
	root        *os.Root      // nil for a destination that does not exist, in a dry run
	destination bool          // temporary files are swept, and links are not followed
	skipped     []fs.FileInfo // directories: of the other end, and of WithResume
	sync        bool          // written files are on the disk when the job ends

	mu      sync.Mutex
	changes map[string]bool // directories that need a sync

	syncing sync.Mutex // held by syncNames
}

func (t *tree) close() error {
	if t.root == nil {
		return nil
	}
	return errors.Join(t.syncDirs(), t.root.Close())
}

// noteChange notes that names in dir have changed. A directory is synced once at the
// end of the job, or earlier if many are waiting.
func (t *tree) noteChange(dir string) error {
	if !t.sync {
		return nil
	}
	const most = 1024
	t.mu.Lock()
	if t.changes == nil {
		t.changes = map[string]bool{}
	}
	t.changes[dir] = true
	full := len(t.changes) > most
	t.mu.Unlock()
	if full {
		return t.syncDirs()
	}
	return nil
}

// syncDirs syncs the directories that have changed.
func (t *tree) syncDirs() error {
	t.mu.Lock()
	changes := t.changes
	t.changes = nil
	t.mu.Unlock()
	for dir := range changes {
		err := durable.SyncDirIn(t.root, dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // a directory that was removed needs no sync
			return fileError("sync", dir, err)
		}
	}
	return nil
}

// isTemp reports whether name is that of a temporary file: the prefix and 16
// hexadecimal digits.
func isTemp(name string) bool {
	digits, ok := strings.CutPrefix(name, tempPrefix)
	return ok && len(digits) == 16 && strings.Trim(digits, "0123456789abcdef") == ""
}

// reserved reports whether key lies in a local bucket's own directory, or has the
// name of a temporary file.
func reserved(key string) bool {
	for segment := range strings.SplitSeq(key, "/") {
		if strings.EqualFold(segment, reservedName) {
			return true
		}
	}
	return isTemp(path.Base(key))
}

// open opens a regular file for reading. It does not block if a pipe has replaced it.
func (t *tree) open(key string) (*os.File, fs.FileInfo, error) {
	f, err := t.root.OpenFile(key, os.O_RDONLY|nonblocking, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errChanged
	}
	if err != nil {
		_ = f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

func (t *tree) checksum(ctx context.Context, key string) (uint32, error) {
	f, info, err := t.open(key)
	if err != nil {
		return 0, fileError("read", key, err)
	}
	defer func() { _ = f.Close() }()
	sum := crc32c.New()
	if _, err := io.Copy(sum, contextReader{ctx, newStableFile(f, info).reader()}); err != nil {
		return 0, fileError("read", key, err)
	}
	return sum.Sum32(), nil
}
