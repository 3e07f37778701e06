package transfer

import (
	"bytes"
	"context"
	"crypto/fips140"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"math"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"

	"github.com/omnibucket/storage/internal/chunks"
	"github.com/omnibucket/storage/internal/crc32c"
	"github.com/omnibucket/storage/internal/ctxtime"
	"github.com/omnibucket/storage/internal/durable"
	"github.com/omnibucket/storage/internal/localfile"
	"github.com/omnibucket/storage/internal/partfile"
	"github.com/omnibucket/storage/internal/removefile"
)

const (
	// reservedName is the name of a directory for a local bucket's own files, such as a signing
	// key.
	reservedName = ".omnibucket"
)

var _ openedEnd = (*tree)(nil)

// A tree is a directory that a job has opened. Files are opened through root, so that no name or
// link leads outside of it.
type tree struct {
	root        *os.Root      // nil in a dry run, if the destination does not exist
	destination bool          // whether the directory is the destination, where links are not followed
	recovers    bool          // whether the walk gives files their names back that a killed move has renamed
	temps       *partfile.Job // makes the temporary files of a destination; otherwise nil
	// skipped has the directories that are not read: the other end of the job, and the directory
	// of WithResume.
	skipped []fs.FileInfo
	sync    bool // whether written files must be on the disk when the job ends

	mu      sync.Mutex
	changes map[string]bool // directories that must be synced
	marks   []string        // marks: small files that belong to temporary files; found by the walk
	kept    map[string]bool // files whose temporary file stays for the next job

	syncing sync.Mutex // held during syncDirs
	// unsynced is the error of a failed sync. It stays even if a later sync succeeds, because the
	// later one does not sync the same names.
	unsynced error
}

func (t *tree) close() error {
	if t.root == nil {
		return nil
	}
	t.temps.Close()
	return errors.Join(t.syncDirs(), t.root.Close())
}

// keep adds key to the incomplete downloads that the next job will continue. The method sweep does
// not remove the temporary files of these downloads.
func (t *tree) keep(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.kept == nil {
		t.kept = map[string]bool{}
	}
	t.kept[key] = true
}

// noteMark records a mark for the method sweep. A mark is a small file that belongs to a temporary
// file.
func (t *tree) noteMark(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.marks = append(t.marks, key)
}

// sweep removes temporary files whose processes have died, except those that a later job can
// continue.
func (t *tree) sweep(s *settings) {
	for _, mark := range t.marks {
		partfile.Sweep(t.root, mark, func(target string) bool {
			key := filepath.ToSlash(target)
			return t.kept[key] || !s.inShard(key)
		})
	}
}

// noteTopMarks records the marks in the root of the tree, but not in its subdirectories. It is for
// a tree that the job does not list. A mark is a small file that belongs to a temporary file.
func (t *tree) noteTopMarks() {
	top, _ := fs.ReadDir(t.root.FS(), ".") // after an error, the list is incomplete
	for _, d := range top {
		if partfile.IsMark(d.Name()) {
			t.noteMark(d.Name())
		}
	}
}

// noteChange records that names in the directory dir have changed, so that it must be synced. That
// happens at the end of the job, or earlier if many directories are waiting.
func (t *tree) noteChange(dir string) error {
	if !t.sync {
		return nil
	}
	const most = 1024
	t.mu.Lock()
	t.changes[dir] = true
	full := len(t.changes) > most
	t.mu.Unlock()
	if full {
		return t.syncDirs()
	}
	return nil
}

// syncDirs waits until the names of all files that were written before are on the disk. If another
// call is in progress, it waits for that call, which may be syncing these names.
func (t *tree) syncDirs() error {
	t.syncing.Lock()
	defer t.syncing.Unlock()
	t.mu.Lock()
	changes := t.changes
	t.changes = map[string]bool{}
	t.mu.Unlock()
	for dir := range changes {
		err := durable.SyncDirIn(t.root, dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // a directory that no longer exists needs no sync
			t.unsynced = fileError("sync", dir, err)
		}
	}
	return t.unsynced
}

// reserved reports whether key lies in a local bucket's own directory, or has the
// name of a temporary file.
func reserved(key string) bool {
	for segment := range strings.SplitSeq(key, "/") {
		if strings.EqualFold(segment, reservedName) {
			return true
		}
	}
	base := path.Base(key)
	return durable.IsTempName(base) || removefile.IsAside(base)
}

// open opens a regular file for reading. If a pipe has replaced the file, open fails and does not
// block.
func (t *tree) open(key string) (*os.File, fs.FileInfo, error) {
	f, err := t.root.OpenFile(key, os.O_RDONLY|localfile.Nonblocking, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = localfile.ErrChanged
	}
	if err != nil {
		_ = f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

func (t *tree) checksum(ctx context.Context, key string) (uint32, error) {
	sum := crc32c.New()
	err := t.read(ctx, key, math.MaxInt64, sum)
	return sum.Sum32(), err
}

// read writes the content of a file to w, which may be a hash. If the file has more than limit
// bytes, read fails.
func (t *tree) read(ctx context.Context, key string, limit int64, w io.Writer) error {
	f, info, err := t.open(key)
	if err == nil {
		defer f.Close() // the file was only read, so an error does not matter
		if info.Size() > limit {
			return fileError("read", key, localfile.ErrChanged)
		}
		_, err = chunks.Copy(w, ctxtime.Reader(ctx, localfile.NewStable(f, info).Reader()))
	}
	return fileError("read", key, err)
}

// etagBytes is the size in bytes of the largest file that is compared by its ETag. Reading a larger
// file would cost more than a request for the attributes of its object.
const etagBytes = 256 << 10

// matchesETag reports whether the ETag of an object is the MD5 of the small file src. On S3, the
// ETag is an MD5 if the object was stored in one request, without SSE-KMS or SSE-C encryption. If
// matchesETag returns false, the file and the object may still be equal. A server that encrypts
// makes up ETags of the same form.
func (t *tree) matchesETag(ctx context.Context, src entry, etag string) bool {
	want, err := hex.DecodeString(strings.Trim(etag, `"`))
	if err != nil || len(want) != md5.Size || src.size > etagBytes {
		return false
	}
	equal := false
	fips140.WithoutEnforcement(func() { // the server chose MD5, and it is not used for security here
		sum := md5.New()
		// If the file has grown, the method read fails here. The transfer then reports the error.
		err := t.read(ctx, src.key, src.size, sum)
		equal = err == nil && bytes.Equal(sum.Sum(nil), want)
	})
	return equal
}
