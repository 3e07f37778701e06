package objectfile

import (
	"strings"
	"time"

	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// SweepStaging removes the staging directories of processes that have ended, and files that are old.
func (s *Staging) SweepStaging() error {
	staging, err := s.Tree.OpenToRead(bucketdir.TmpPath)
	if err != nil {
		return bucketdir.IgnoreNotExist(err)
	}
	defer staging.Close()
	names, err := staging.Names(func(osdir.Entry) bool { return true })
	if err != nil {
		return bucketdir.WrapError(err)
	}
	for _, name := range names {
		s.sweepEntry(staging, name)
	}
	return nil
}

// sweepEntry removes a staging directory whose process has ended, or another entry that is old. If
// that fails, a later sweep tries again. Beside each staging directory is its marker, a file that the
// directory's process keeps locked.
func (s *Staging) sweepEntry(staging *osdir.Dir, name string) {
	meta, err := staging.Stat(name)
	if err != nil {
		return
	}
	isOld := time.Since(meta.Time()) > bucketdir.AbandonedAge
	// Without a suffix to cut, dirName is name itself.
	dirName, isMarker := strings.CutSuffix(name, bucketdir.MarkerSuffix)
	if meta.Kind == osdir.KindDir || isMarker {
		s.sweepStagingDir(staging.PathOf(dirName), isOld)
		return
	}
	if isOld {
		_ = staging.Unlink(name)
	}
}

// sweepStagingDir removes a staging directory with its files and its marker, unless its process is
// alive.
func (s *Staging) sweepStagingDir(path string, isOld bool) {
	claim := bucketdir.TakeOver(s.Tree.Root, path, isOld)
	if claim == nil {
		return
	}
	// End removes the directory and its marker. It runs last: if this process is killed before, the
	// marker remains for a later sweep.
	defer claim.End()

	dir, err := s.Tree.OpenToRead(claim.Path)
	if err != nil {
		return
	}
	defer dir.Close()
	for e, err := range dir.Each {
		if err != nil {
			return
		}
		meta, err := dir.Stat(e.Name)
		if err != nil {
			continue
		}
		// The file may also have its final name already, as a second hard link. DropSidecar then keeps the
		// sidecar.
		s.Reader.DropSidecar(meta)
		_ = dir.Unlink(e.Name)
	}
}
