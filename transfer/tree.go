package transfer

import (
	"context"
	"errors"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/omnibucket/storage/internal/durable"
)

const (
	// reservedName is where a local bucket keeps what is its own, a signing key
	// among it, in its directory.
	reservedName = ".omnibucket"
	// tempPrefix begins the names of files that are being written here.
	tempPrefix = ".omnibucket-"
	// staleAfter is how long nothing was written to a temporary file of a process
	// that is dead: a transfer that lives gives up earlier.
	staleAfter = 15 * time.Minute
)

var _ openedEnd = (*tree)(nil)

// A tree is a directory. Everything is opened through root: no name and no link
// leads outside.
type tree struct {
	root        *os.Root    // nil: a destination that is not there, in a dry run
	destination bool        // files are written here: leftovers are swept, links not followed
	resumeDir   fs.FileInfo // the directory of WithResume, which is not entered; nil: there is none
	sync        bool        // what is written is on the disk when the job ends

	mu      sync.Mutex
	changes map[string]bool // directories whose names are not known to be on the disk
}

func (t *tree) close() error {
	if t.root == nil {
		return nil
	}
	return errors.Join(t.syncDirs(), t.root.Close())
}

// noteChange notes that names in dir have changed. A directory is synced once, at the
// end of the job, or earlier when many wait for it.
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

// syncDirs has the names in the directories that have changed on the disk.
func (t *tree) syncDirs() error {
	t.mu.Lock()
	changes := t.changes
	t.changes = nil
	t.mu.Unlock()
	for dir := range changes {
		err := durable.SyncDirIn(t.root, dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // one that was removed meanwhile has no names
			return fileError("sync", dir, err)
		}
	}
	return nil
}

// isTemp reports whether name is that of a temporary file: the prefix, and 16
// hexadecimal digits.
func isTemp(name string) bool {
	digits, ok := strings.CutPrefix(name, tempPrefix)
	return ok && len(digits) == 16 && strings.Trim(digits, "0123456789abcdef") == ""
}

// reserved reports whether key lies in what is a local bucket's own, or is named
// as our temporary files are.
func reserved(key string) bool {
	for segment := range strings.SplitSeq(key, "/") {
		if strings.EqualFold(segment, reservedName) {
			return true
		}
	}
	return isTemp(path.Base(key))
}

// open opens a regular file for reading. Something else that has taken its place
// is not waited for.
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

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (t *tree) checksum(ctx context.Context, key string) (uint32, error) {
	f, info, err := t.open(key)
	if err != nil {
		return 0, fileError("read", key, err)
	}
	defer func() { _ = f.Close() }()
	sum := crc32.New(castagnoli)
	if _, err := io.Copy(sum, contextReader{ctx, newStableFile(f, info).reader()}); err != nil {
		return 0, fileError("read", key, err)
	}
	return sum.Sum32(), nil
}
