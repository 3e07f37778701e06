package local

import (
	"cmp"
	"context"
	"io"
	"io/fs"
	"os"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// A stagingDir is a directory in which one driver writes files that are not visible yet,
// on the file system of the bucket.
type stagingDir struct {
	dir   *osdir.Dir
	claim *claim
	last  atomic.Uint64 // the number of the latest file
}

// staging makes files that are not visible yet, and changes the attributes of files.
type staging struct {
	tree     *tree
	reader   *reader
	fileMode uint32 // 0 means 0666 without the umask

	mu     sync.Mutex
	live   *stagingDir   // nil before the first write
	former []*stagingDir // removed by another program, but perhaps still in use by calls
}

func (s *staging) close() {
	s.mu.Lock()
	dirs := append(s.former, s.live)
	s.former, s.live = nil, nil
	s.mu.Unlock()
	for _, w := range dirs {
		if w != nil {
			w.dir.Close()
			w.claim.end()
		}
	}
}

// dir returns the staging directory. The first write makes it.
func (s *staging) dir(ctx context.Context) (*stagingDir, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live != nil {
		return s.live, nil
	}
	if err := s.tree.initialize(); err != nil {
		return nil, err
	}
	var w *stagingDir
	err := s.tree.retry(ctx, func() (err error) {
		w, err = s.newStagingDir()
		return err
	})
	if err != nil {
		return nil, err
	}
	s.live = w
	_ = s.sweepStaging() // the sweep of Open may have swept another directory
	return w, nil
}

// newStagingDir makes a staging directory. It fails with errAgain if others were faster, or if tmpPath
// was missing. Tools that do not copy empty directories omit tmpPath.
func (s *staging) newStagingDir() (*stagingDir, error) {
	c, err := claimNew(
		s.tree.root, tmpPath+"/"+randomName(), 0o700,
	) // private: a file written there may replace a private one
	if osdir.IsNotExist(err) {
		return nil, cmp.Or[error](s.tree.mkdirs(tmpPath), errAgain)
	}
	if err != nil {
		return nil, err
	}
	d, err := osdir.Open(s.tree.root, s.tree.top, c.path)
	if err != nil {
		c.end()
		return nil, againIfGone(err)
	}
	return &stagingDir{dir: d, claim: c}, nil
}

// dropStagingDir forgets a directory that another program removed. The next write makes
// a new one.
func (s *staging) dropStagingDir(w *stagingDir) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live == w {
		s.live = nil
		s.tree.ready.Store(false)
		s.former = append(s.former, w)
	}
}

// A stagedFile becomes complete when it is sealed, and visible when it is placed.
type stagedFile struct {
	dir   *osdir.Dir
	name  string
	file  *osdir.File // nil once sealed
	attrs attrs
	meta  osdir.Meta
	// visible is its sealed sidecar with Config.Sidecars, or nil.
	visible *stagedFile
	// held is nil, unless the file is one that parts share. Its lock keeps their writers away.
	// If the file is not placed, it stays.
	held *os.File
	// upload is the directory of the upload whose parts the file has, or nil. Placing the file
	// ends the upload.
	upload *osdir.Dir
}

// stage makes an empty staged file.
func (s *staging) stage(ctx context.Context) (*stagedFile, error) {
	var st *stagedFile
	err := s.tree.retry(ctx, func() error {
		w, err := s.dir(ctx)
		if err != nil {
			return err
		}
		st = &stagedFile{dir: w.dir, name: strconv.FormatUint(w.last.Add(1), 36)}
		if st.file, err = w.dir.Create(st.name); osdir.IsNotExist(err) {
			s.dropStagingDir(w)
		}
		return againIfGone(err)
	})
	if err != nil {
		return nil, err
	}
	if s.fileMode != 0 {
		if err := st.file.SetMode(s.fileMode); err != nil {
			s.discard(st)
			return nil, failure(err)
		}
	}
	return st, nil
}

// keepMode gives a sealed file the mode of the file that it replaces. If another user owns that
// file, who could have chosen any mode, the mode permits no more than that of a new file.
func (s *staging) keepMode(st *stagedFile, old objectFile) error {
	mode := old.meta.Mode
	if old.meta.UID != st.meta.UID {
		mode = mode&st.meta.Mode | 0o600
	}
	if !old.found() || mode == st.meta.Mode {
		return nil
	}
	f, err := st.dir.Open(st.name)
	if err != nil {
		return s.tree.stagedFileError(err)
	}
	defer func() { _ = f.Close() }() // nothing was written to it
	if err := f.SetMode(mode); err != nil {
		return failure(err)
	}
	if s.reader.sidecars.Load() { // the file may have a sidecar; this fails on a file system without modes
		_ = s.tree.root.Chmod(sidecarPath(st.meta), fs.FileMode(mode&0o666))
	}
	if s.tree.sync {
		return failure(f.Sync())
	}
	return nil
}

// discard removes a staged file, unless it was placed.
func (s *staging) discard(st *stagedFile) {
	if st.file != nil {
		_ = st.file.Close()
		st.file = nil
	}
	if st.visible != nil {
		s.discard(st.visible)
	}
	if st.name != "" {
		s.reader.dropSidecar(st.meta)
	}
	if st.held != nil {
		_ = st.held.Close()
	} else if st.name != "" {
		_ = st.dir.Unlink(st.name)
	}
}

// place renames a staged file. If the directory to was removed meanwhile, it fails with errAgain.
func (s *staging) place(ctx context.Context, to *osdir.Dir, base string, st *stagedFile) error {
	err := osdir.RetryInUse(ctx, func() error { return to.Rename(base, st.dir, st.name) })
	if err == nil {
		st.markPlaced()
		return nil
	}
	if !osdir.IsNotExist(err) {
		return err
	}
	if _, err := st.dir.Stat(st.name); err != nil {
		return s.tree.stagedFileError(err)
	}
	return errAgain
}

// markPlaced records that the file was renamed, so that discard does not remove it.
func (st *stagedFile) markPlaced() { st.name = "" }

var copyBuffers = sync.Pool{New: func() any { b := make([]byte, 256<<10); return &b }}

// flushStep is the number of bytes after which the disk begins to write them, while more come.
const flushStep = 8 << 20

// fill writes the whole body. It returns an error of the body unchanged.
func (s *staging) fill(ctx context.Context, f *osdir.File, body io.Reader) error {
	buffer := copyBuffers.Get().(*[]byte)
	defer copyBuffers.Put(buffer)
	unflushed := 0
	for idle := 0; ; {
		if err := interrupted(ctx); err != nil {
			return err
		}
		n, err := body.Read(*buffer)
		if n > 0 {
			if _, err := f.Write((*buffer)[:n]); err != nil {
				return failure(err)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if idle++; n > 0 {
			idle = 0
		} else if idle == 100 {
			return io.ErrNoProgress
		}
		if unflushed += n; s.tree.sync && unflushed >= flushStep {
			osdir.StartFlush(f)
			unflushed = 0
		}
	}
}

// append copies n bytes of from at offset, in the kernel if that is possible.
func (st *stagedFile) append(ctx context.Context, from *os.File, offset, n int64) error {
	if _, err := from.Seek(offset, io.SeekStart); err != nil {
		return failure(err)
	}
	const step = 64 << 20 // bytes between two checks of ctx
	for n > 0 {
		if err := interrupted(ctx); err != nil {
			return err
		}
		copied, err := io.CopyN(st.file.OSFile(st.name), from, min(n, step))
		n -= copied
		if err == io.EOF {
			return storage.Changed // another program truncated it
		}
		if err != nil {
			return failure(err)
		}
	}
	return nil
}

// seal sets the attributes of the file, flushes it, unless Config.NoSync is set, and closes
// it. It is then complete and can be placed.
func (s *staging) seal(st *stagedFile) error {
	if err := s.stamp(st); err != nil {
		return err
	}
	return s.flush(st)
}

// flush flushes the file, unless Config.NoSync is set, and closes it.
func (s *staging) flush(st *stagedFile) error {
	if s.tree.sync {
		if err := st.file.Sync(); err != nil {
			return failure(err)
		}
	}
	err := st.file.Close()
	st.file = nil
	return failure(err)
}

// stamp sets the time of the file, and its attributes, which include the time.
func (s *staging) stamp(st *stagedFile) (err error) {
	if err := st.file.SetTime(st.dir, st.name, s.tree.clock.next()); err != nil {
		return s.tree.stagedFileError(err)
	}
	if st.meta, err = st.file.Stat(); err != nil {
		return failure(err)
	}
	a := &st.attrs
	a.size, a.mtime = st.meta.Size, st.meta.MTime
	if s.tree.coarse.Load() {
		a.unique = randomName()
	}
	value := a.encode()
	if !s.reader.noXattr && st.file.SetXattr(value) == nil {
		return nil
	}
	return s.tree.stagedFileError(s.writeSidecar(st, value))
}

// restamp gives a sealed file a time later than after.
func (s *staging) restamp(st *stagedFile, after int64) (err error) {
	if st.file, err = st.dir.Edit(st.name); err != nil {
		return s.tree.stagedFileError(err)
	}
	s.tree.clock.advance(after)
	return s.seal(st)
}
