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
		return bucketdir.UnlessAbsent(err)
	}
	defer staging.Close()
	names, err := staging.Names(func(osdir.Entry) bool { return true })
	if err != nil {
		return bucketdir.Failure(err)
	}
	for _, name := range names {
		s.sweepEntry(staging, name)
	}
	return nil
}

// sweepEntry removes a staging directory whose process has ended, or another entry that is old. If
// that fails, a later sweep tries again.
func (s *Staging) sweepEntry(staging *osdir.Dir, name string) {
	meta, err := staging.Stat(name)
	if err != nil {
		return
	}

	// Remove a file that is neither a directory's marker nor new.
	isAbandoned := time.Since(meta.Time()) > bucketdir.AbandonedAge
	dirName, isMarker := strings.CutSuffix(name, bucketdir.MarkerSuffix)
	if meta.Kind != osdir.KindDir && !isMarker {
		if isAbandoned {
			_ = staging.Unlink(name)
		}
		return
	}

	claim := bucketdir.TakeOver(s.Tree.Root, staging.PathOf(dirName), isAbandoned)
	if claim == nil {
		return
	}
	// End runs last: if this process is killed before, the marker remains for a later sweep.
	defer claim.End()

	dir, err := s.Tree.OpenToRead(claim.Path)
	if err != nil {
		return
	}
	defer dir.Close()
	_ = dir.Each(func(e osdir.Entry) bool {
		if meta, err := dir.Stat(e.Name); err == nil {
			// The file may also have its final name already, as a second hard link. DropSidecar
			// then keeps the sidecar.
			s.Reader.DropSidecar(meta)
			_ = dir.Unlink(e.Name)
		}
		return true
	})
}
