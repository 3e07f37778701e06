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
)

const (
	// reservedName is the directory for a local bucket's own files, such as a signing
	// key.
	reservedName = ".omnibucket"
)

var _ openedEnd = (*tree)(nil)

// A tree is a directory. Files are opened through root, so that no name or link leads
// outside.
type tree struct {
	root        *os.Root      // nil for a destination that does not exist, in a dry run
	destination bool          // temporary files are swept, and links are not followed
	temps       *partfile.Job // of a destination; otherwise nil
	skipped     []fs.FileInfo // the directories of the other end and of WithResume
	sync        bool          // written files are on the disk when the job ends

	mu      sync.Mutex
	changes map[string]bool // directories that need a sync
	marks   []string        // marks of temporary files that the walk has met
	kept    map[string]bool // files of which a part stays for the next job

	syncing  sync.Mutex // held by syncDirs
	unsynced error      // the error of a sync that failed: a later success says nothing about its names
}

func (t *tree) close() error {
	if t.root == nil {
		return nil
	}
	t.temps.Close()
	return errors.Join(t.syncDirs(), t.root.Close())
}

// keep records that a part of a file stays for the next job.
func (t *tree) keep(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.kept == nil {
		t.kept = map[string]bool{}
	}
	t.kept[key] = true
}

// noteMark records a file that may be the mark of temporary files.
func (t *tree) noteMark(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.marks = append(t.marks, key)
}

// sweep removes the files that dead processes have left and that nobody continues.
func (t *tree) sweep(s *settings) {
	for _, mark := range t.marks {
		partfile.Sweep(t.root, mark, func(target string) bool {
			key := filepath.ToSlash(target)
			return t.kept[key] || !s.inShard(key)
		})
	}
}

// noteTopMarks records the marks in a directory that the job does not walk.
func (t *tree) noteTopMarks() {
	top, _ := fs.ReadDir(t.root.FS(), ".") // may be incomplete
	for _, d := range top {
		if partfile.IsMark(d.Name()) {
			t.noteMark(d.Name())
		}
	}
}

// noteChange records that names in dir have changed. A directory is synced once at the end of
// the job, or earlier if many are waiting.
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

// syncDirs waits until all names that were written before are on the disk. A second caller waits for the
// first, which may be syncing its names.
func (t *tree) syncDirs() error {
	t.syncing.Lock()
	defer t.syncing.Unlock()
	t.mu.Lock()
	changes := t.changes
	t.changes = map[string]bool{}
	t.mu.Unlock()
	for dir := range changes {
		err := durable.SyncDirIn(t.root, dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // a directory that was removed needs no sync
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
	return durable.IsTempName(path.Base(key))
}

// open opens a regular file for reading. It does not block if a pipe has replaced it.
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

// read writes a file to a hash, if it has at most size bytes.
func (t *tree) read(ctx context.Context, key string, most int64, to io.Writer) error {
	f, info, err := t.open(key)
	if err == nil {
		defer func() { _ = f.Close() }() // it was only read
		if info.Size() > most {
			return fileError("read", key, localfile.ErrChanged)
		}
		_, err = chunks.Copy(to, ctxtime.Reader(ctx, localfile.NewStable(f, info).Reader()))
	}
	return fileError("read", key, err)
}

// etagBytes is the size up to which reading a file costs less than a request for the attributes
// of its object.
const etagBytes = 256 << 10

// matchesETag reports whether the ETag of an object is the MD5 of a small file. On S3 an object
// that was stored in one request, and is not encrypted with a key of its own, has such an ETag.
// If it is not the file's MD5, that proves nothing: an encrypting server makes up ETags of
// the same form.
func (t *tree) matchesETag(ctx context.Context, src entry, etag string) bool {
	want, err := hex.DecodeString(strings.Trim(etag, `"`))
	if err != nil || len(want) != md5.Size || src.size > etagBytes {
		return false
	}
	equal := false
	fips140.WithoutEnforcement(func() { // the server chose MD5, and nothing is secured by it
		sum := md5.New()
		err := t.read(ctx, src.key, src.size, sum) // it may have grown; the transfer reports errors
		equal = err == nil && bytes.Equal(sum.Sum(nil), want)
	})
	return equal
}
