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
	// SharedFile is set if the staged file is shared by the parts of an upload. SharedFile is the open file,
	// with an exclusive lock that keeps writers of parts away. Discard does not remove a shared
	// file.
	SharedFile *os.File
	// Upload is the directory of the upload whose parts the file contains, or nil. Placing the file
	// ends the upload.
	Upload *osdir.Dir
}

// Stage creates an empty file in the staging directory. If the directory has vanished, it creates
// another one.
func (s *Staging) Stage(ctx context.Context) (*StagedFile, error) {
	staged, err := bucketdir.RetryInTree(ctx, s.Tree, func() (*StagedFile, error) { return s.create(ctx) })
	if err != nil {
		return nil, err
	}

	if s.FileMode != 0 {
		if err := staged.File.SetMode(s.FileMode); err != nil {
			s.Discard(staged)
			return nil, bucketdir.WrapError(err)
		}
	}
	return staged, nil
}

// create makes one attempt to create an empty file in the staging directory. It fails with ErrRetry if
// the directory has vanished.
func (s *Staging) create(ctx context.Context) (*StagedFile, error) {
	dir, err := s.Dir(ctx)
	if err != nil {
		return nil, err
	}
	name := strconv.FormatUint(dir.lastNumber.Add(1), 36)
	file, err := dir.Dir.Create(name)
	if err != nil {
		if osdir.IsNotExist(err) {
			// The next attempt needs another directory.
			s.dropStagingDir(dir)
		}
		return nil, bucketdir.RetryIfGone(err)
	}
	return &StagedFile{Dir: dir.Dir, Name: name, File: file}, nil
}

var copyBuffers = sync.Pool{New: func() any {
	b := make([]byte, 256<<10)
	return &b
}}

// flushStep is the number of bytes after which the disk begins to write, while more bytes arrive.
const flushStep = 8 << 20

// maxEmptyReads is the number of reads without bytes in a row after which Fill fails.
const maxEmptyReads = 100

// Fill writes the whole body to f. It returns an error of the body unchanged.
func (s *Staging) Fill(ctx context.Context, f *osdir.File, body io.Reader) error {
	buf := copyBuffers.Get().(*[]byte)
	defer copyBuffers.Put(buf)

	unflushed := 0  // bytes since the last StartFlush
	emptyReads := 0 // reads in a row that returned no bytes
	for {
		if err := bucketdir.ContextError(ctx); err != nil {
			return err
		}
		n, readErr := body.Read(*buf)
		if n > 0 {
			if _, err := f.Write((*buf)[:n]); err != nil {
				return bucketdir.WrapError(err)
			}
		}
		if readErr == io.EOF {
			return nil
		}
		if readErr != nil {
			return readErr
		}

		emptyReads++
		if n > 0 {
			emptyReads = 0
		}
		if emptyReads == maxEmptyReads {
			return io.ErrNoProgress
		}

		// Let the kernel write to the disk while the next bytes arrive.
		unflushed += n
		if s.Tree.Sync && unflushed >= flushStep {
			osdir.StartFlush(f)
			unflushed = 0
		}
	}
}

// Finish flushes and closes a staged file, which gets no attributes.
func (s *Staging) Finish(staged *StagedFile) (err error) {
	staged.Meta, err = staged.File.Stat()
	if err != nil {
		return bucketdir.WrapError(err)
	}
	return s.flush(staged)
}

// KeepMode gives a sealed file the mode of the file that it replaces. If another user owns that file
// and may have chosen its mode, the sealed file gets no permission that it does not have already.
func (s *Staging) KeepMode(staged *StagedFile, replaced ObjectFile) error {
	if !replaced.Found() {
		return nil
	}

	mode := replaced.Meta.Mode
	isOfOtherUser := replaced.Meta.UID != staged.Meta.UID
	if isOfOtherUser {
		const ownerReadWrite = 0o600
		mode = mode&staged.Meta.Mode | ownerReadWrite
	}
	if mode == staged.Meta.Mode {
		return nil
	}
	return s.chmodSealed(staged, mode)
}

// chmodSealed sets the mode of a sealed file and of its sidecar, and flushes the file to the disk, if
// the tree wants that.
func (s *Staging) chmodSealed(staged *StagedFile, mode uint32) error {
	f, err := staged.Dir.Open(staged.Name)
	if err != nil {
		return s.Tree.StagedFileError(err)
	}
	// The error does not matter, because nothing was written.
	defer f.Close()
	if err := f.SetMode(mode); err != nil {
		return bucketdir.WrapError(err)
	}
	if s.Reader.Sidecars.Load() {
		// Nobody executes a sidecar. Ignore the error, because a file system without modes refuses the change.
		const readWrite = 0o666
		_ = s.Tree.Root.Chmod(sidecarPath(staged.Meta), fs.FileMode(mode&readWrite))
	}
	if !s.Tree.Sync {
		return nil
	}
	return bucketdir.WrapError(f.Sync())
}

// Discard closes a staged file, and removes it unless it was placed or is the shared file of an
// upload. It does the same for the staged sidecar.
func (s *Staging) Discard(staged *StagedFile) {
	if staged.File != nil {
		_ = staged.File.Close()
		staged.File = nil
	}
	if staged.Visible != nil {
		s.Discard(staged.Visible)
	}

	isPlaced := staged.Name == "" // see MarkPlaced
	if !isPlaced {
		s.Reader.DropSidecar(staged.Meta)
	}
	if staged.SharedFile != nil {
		// This is the shared file of an upload, which stays there, because it contains parts.
		_ = staged.SharedFile.Close()
		return
	}
	if !isPlaced {
		_ = staged.Dir.Unlink(staged.Name)
	}
}

// Place moves a staged file to the name base in dst. It fails with ErrRetry if dst was removed
// meanwhile.
func (s *Staging) Place(ctx context.Context, dst *osdir.Dir, base string, staged *StagedFile) error {
	err := osdir.RetryInUse(ctx, func() error { return dst.Rename(base, staged.Dir, staged.Name) })
	if err == nil {
		staged.MarkPlaced()
		return nil
	}
	if !osdir.IsNotExist(err) {
		return err
	}
	// Either the staged file or dst has vanished.
	if _, err := staged.Dir.Stat(staged.Name); err != nil {
		return s.Tree.StagedFileError(err)
	}
	return bucketdir.ErrRetry
}

// MarkPlaced records that the file was renamed, so that Discard does not remove it.
func (st *StagedFile) MarkPlaced() { st.Name = "" }

// Append appends n bytes of src, from offset on, to the staged file. It fails with Changed if src is
// shorter.
func (st *StagedFile) Append(ctx context.Context, src *os.File, offset, n int64) error {
	if _, err := src.Seek(offset, io.SeekStart); err != nil {
		return bucketdir.WrapError(err)
	}

	const step = 64 << 20 // bytes between two checks of ctx
	for n > 0 {
		if err := bucketdir.ContextError(ctx); err != nil {
			return err
		}
		// If possible, the kernel copies the bytes.
		copied, err := io.CopyN(st.File.OSFile(st.Name), src, min(n, step))
		n -= copied
		if err == io.EOF {
			// Another program has truncated the file.
			return storage.Changed
		}
		if err != nil {
			return bucketdir.WrapError(err)
		}
	}
	return nil
}

// Seal makes a staged file ready to be placed: it sets the time and the attributes, flushes the file
// to the disk if the tree wants that, and closes it.
func (s *Staging) Seal(staged *StagedFile) error {
	if err := s.setTimeAndAttrs(staged); err != nil {
		return err
	}
	return s.flush(staged)
}

// flush flushes a staged file to the disk, unless the bucket was opened without flushes, and closes it.
func (s *Staging) flush(staged *StagedFile) error {
	if s.Tree.Sync {
		if err := staged.File.Sync(); err != nil {
			return bucketdir.WrapError(err)
		}
	}
	err := staged.File.Close()
	staged.File = nil
	return bucketdir.WrapError(err)
}

// setTimeAndAttrs sets the time of the file and then its attributes, which contain the time.
func (s *Staging) setTimeAndAttrs(staged *StagedFile) error {
	if err := staged.File.SetTime(staged.Dir, staged.Name, s.Tree.Clock.Next()); err != nil {
		return s.Tree.StagedFileError(err)
	}
	meta, err := staged.File.Stat()
	if err != nil {
		return bucketdir.WrapError(err)
	}

	staged.Meta = meta
	attrs := &staged.Attrs
	attrs.Size = staged.Meta.Size
	attrs.MTime = staged.Meta.MTime
	if s.Tree.Coarse.Load() {
		// The time alone does not tell two writes apart.
		attrs.Unique = bucketdir.RandomName()
	}

	// Store the attributes in an extended attribute or, if that is impossible, in a sidecar.
	value := attrs.Encode()
	if !s.Reader.NoXattr && staged.File.SetXattr(value) == nil {
		return nil
	}
	return s.Tree.StagedFileError(s.writeSidecar(staged, value))
}

// Restamp gives a sealed file a new time, which is later than stamp, and seals it again.
func (s *Staging) Restamp(staged *StagedFile, stamp int64) (err error) {
	staged.File, err = staged.Dir.Edit(staged.Name)
	if err != nil {
		return s.Tree.StagedFileError(err)
	}
	s.Tree.Clock.Advance(stamp)
	return s.Seal(staged)
}
