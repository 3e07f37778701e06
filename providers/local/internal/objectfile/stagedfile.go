package objectfile

import (
	"context"
	"io"
	"io/fs"
	"os"
	"strconv"
	"sync"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// A StagedFile is a file that is not visible yet. Seal completes it, and Place makes it visible.
type StagedFile struct {
	Dir   *osdir.Dir
	Name  string
	File  *osdir.File // nil after Seal
	Attrs Attrs
	Meta  osdir.Meta
	// Visible is the staged file for the sidecar that will be beside the object. It is nil if the
	// bucket has no sidecars.
	Visible *StagedFile
	// Held is set if the staged file is shared by the parts of an upload. Held is the open file,
	// with an exclusive lock that keeps writers of parts away. Discard does not remove a shared
	// file.
	Held *os.File
	// Upload is the directory of the upload whose parts the file contains, or nil. Placing the file
	// ends the upload.
	Upload *osdir.Dir
}

// Stage creates an empty staged file.
func (s *Staging) Stage(ctx context.Context) (*StagedFile, error) {
	var st *StagedFile
	err := s.Tree.Retry(ctx, func() error {
		w, err := s.Dir(ctx)
		if err != nil {
			return err
		}
		st = &StagedFile{Dir: w.Dir, Name: strconv.FormatUint(w.lastNumber.Add(1), 36)}
		st.File, err = w.Dir.Create(st.Name)
		if osdir.IsNotExist(err) {
			s.dropStagingDir(w)
		}
		return bucketdir.AgainIfGone(err)
	})
	if err != nil {
		return nil, err
	}
	if s.FileMode != 0 {
		if err := st.File.SetMode(s.FileMode); err != nil {
			s.Discard(st)
			return nil, bucketdir.Failure(err)
		}
	}
	return st, nil
}

var copyBuffers = sync.Pool{New: func() any {
	b := make([]byte, 256<<10)
	return &b
}}

// flushStep is the number of bytes after which the disk begins to write, while more bytes arrive.
const flushStep = 8 << 20

// maxEmptyReads is the number of reads without bytes in a row after which Fill fails.
const maxEmptyReads = 100

// Fill writes the whole body to f. If reading the body fails, Fill returns that error unchanged.
func (s *Staging) Fill(ctx context.Context, f *osdir.File, body io.Reader) error {
	buffer := copyBuffers.Get().(*[]byte)
	defer copyBuffers.Put(buffer)

	unflushed := 0  // bytes since the last StartFlush
	emptyReads := 0 // reads in a row that returned no bytes
	for {
		if err := bucketdir.Interrupted(ctx); err != nil {
			return err
		}
		n, readErr := body.Read(*buffer)
		if n > 0 {
			if _, err := f.Write((*buffer)[:n]); err != nil {
				return bucketdir.Failure(err)
			}
		}
		if readErr == io.EOF {
			return nil
		}
		if readErr != nil {
			return readErr
		}

		if n > 0 {
			emptyReads = 0
		} else {
			emptyReads++
			if emptyReads == maxEmptyReads {
				return io.ErrNoProgress
			}
		}

		unflushed += n
		if s.Tree.Sync && unflushed >= flushStep {
			osdir.StartFlush(f)
			unflushed = 0
		}
	}
}

// Finish completes a staged file as Seal does, but without attributes.
func (s *Staging) Finish(st *StagedFile) (err error) {
	st.Meta, err = st.File.Stat()
	if err != nil {
		return bucketdir.Failure(err)
	}
	return s.flush(st)
}

// KeepMode sets the mode of a sealed file to the mode of the file that it replaces. If another user
// owns the old file, that user could have chosen any mode. So the new mode then permits no more
// than the mode that the sealed file already has.
func (s *Staging) KeepMode(st *StagedFile, replaced ObjectFile) error {
	if !replaced.Found() {
		return nil
	}
	mode := replaced.Meta.Mode
	if replaced.Meta.UID != st.Meta.UID {
		mode = mode&st.Meta.Mode | 0o600
	}
	if mode == st.Meta.Mode {
		return nil
	}

	f, err := st.Dir.Open(st.Name)
	if err != nil {
		return s.Tree.StagedFileError(err)
	}
	// The error does not matter, because nothing was written.
	defer f.Close()
	if err := f.SetMode(mode); err != nil {
		return bucketdir.Failure(err)
	}
	if s.Reader.Sidecars.Load() {
		// Ignore the error, because a file system without modes refuses the change.
		_ = s.Tree.Root.Chmod(sidecarPath(st.Meta), fs.FileMode(mode&0o666))
	}
	if !s.Tree.Sync {
		return nil
	}
	return bucketdir.Failure(f.Sync())
}

// Discard removes a staged file. If the file was placed, Discard only closes it.
func (s *Staging) Discard(st *StagedFile) {
	if st.File != nil {
		_ = st.File.Close()
		st.File = nil
	}
	if st.Visible != nil {
		s.Discard(st.Visible)
	}
	if st.Name != "" {
		s.Reader.DropSidecar(st.Meta)
	}
	if st.Held != nil {
		_ = st.Held.Close()
		return
	}
	if st.Name != "" {
		_ = st.Dir.Unlink(st.Name)
	}
}

// Place moves a staged file to the given directory and name. If the directory was removed
// meanwhile, Place fails with ErrAgain.
func (s *Staging) Place(ctx context.Context, dst *osdir.Dir, base string, st *StagedFile) error {
	err := osdir.RetryInUse(ctx, func() error { return dst.Rename(base, st.Dir, st.Name) })
	if err == nil {
		st.MarkPlaced()
		return nil
	}
	if !osdir.IsNotExist(err) {
		return err
	}
	if _, err := st.Dir.Stat(st.Name); err != nil {
		return s.Tree.StagedFileError(err)
	}
	return bucketdir.ErrAgain
}

// MarkPlaced records that the file was renamed, so that Discard does not remove it.
func (st *StagedFile) MarkPlaced() { st.Name = "" }

// Append appends n bytes of another file to the staged file. It reads the other file from the given
// offset. If possible, the kernel copies the bytes.
func (st *StagedFile) Append(ctx context.Context, f *os.File, offset, n int64) error {
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return bucketdir.Failure(err)
	}
	const step = 64 << 20 // bytes between two checks of ctx
	for n > 0 {
		if err := bucketdir.Interrupted(ctx); err != nil {
			return err
		}
		k, err := io.CopyN(st.File.OSFile(st.Name), f, min(n, step))
		n -= k
		if err == io.EOF {
			// Another program has truncated the file.
			return storage.Changed
		}
		if err != nil {
			return bucketdir.Failure(err)
		}
	}
	return nil
}

// Seal completes a staged file: it sets the attributes, flushes the file unless Config.NoSync is
// set, and closes it. After that, the file can be placed.
func (s *Staging) Seal(st *StagedFile) error {
	if err := s.setTimeAndAttrs(st); err != nil {
		return err
	}
	return s.flush(st)
}

// flush flushes the file, unless Config.NoSync is set, and closes it.
func (s *Staging) flush(st *StagedFile) error {
	if s.Tree.Sync {
		if err := st.File.Sync(); err != nil {
			return bucketdir.Failure(err)
		}
	}
	err := st.File.Close()
	st.File = nil
	return bucketdir.Failure(err)
}

// setTimeAndAttrs sets the time of the file and then its attributes, which contain the time.
func (s *Staging) setTimeAndAttrs(st *StagedFile) (err error) {
	if err := st.File.SetTime(st.Dir, st.Name, s.Tree.Clock.Next()); err != nil {
		return s.Tree.StagedFileError(err)
	}
	st.Meta, err = st.File.Stat()
	if err != nil {
		return bucketdir.Failure(err)
	}

	a := &st.Attrs
	a.Size = st.Meta.Size
	a.MTime = st.Meta.MTime
	if s.Tree.Coarse.Load() {
		a.Unique = bucketdir.RandomName()
	}
	value := a.Encode()
	if !s.Reader.NoXattr && st.File.SetXattr(value) == nil {
		return nil
	}
	return s.Tree.StagedFileError(s.writeSidecar(st, value))
}

// Restamp gives a sealed file a new time, which is later than stamp.
func (s *Staging) Restamp(st *StagedFile, stamp int64) (err error) {
	st.File, err = st.Dir.Edit(st.Name)
	if err != nil {
		return s.Tree.StagedFileError(err)
	}
	s.Tree.Clock.Advance(stamp)
	return s.Seal(st)
}
