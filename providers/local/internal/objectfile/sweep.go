package objectfile

import (
	"strings"
	"time"

	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// SweepStaging removes the staging directories of writers that have ended. If the marker of a
// directory can be locked, its writer has ended.
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

// sweepEntry removes a staging directory, if it is abandoned. If the removal fails, a later sweep
// tries again.
func (s *Staging) sweepEntry(staging *osdir.Dir, name string) {
	m, err := staging.Stat(name)
	if err != nil {
		return
	}

	isAbandoned := time.Since(m.Time()) > bucketdir.AbandonedAge
	dirName, isMarker := strings.CutSuffix(name, bucketdir.MarkerSuffix)
	if m.Kind != osdir.KindDir && !isMarker {
		if isAbandoned {
			_ = staging.Unlink(name)
		}
		return
	}

	c := bucketdir.TakeOver(s.Tree.Root, staging.PathOf(dirName), isAbandoned)
	if c == nil {
		return
	}
	// End runs last: if this process is killed before, the marker remains for a later sweep.
	defer c.End()

	d, err := s.Tree.OpenToRead(c.Path)
	if err != nil {
		return
	}
	defer d.Close()
	_ = d.Each(func(e osdir.Entry) bool {
		if m, err := d.Stat(e.Name); err == nil {
			// The file may also have its final name already, as a second hard link. DropSidecar
			// then keeps the sidecar.
			s.Reader.DropSidecar(m)
			_ = d.Unlink(e.Name)
		}
		return true
	})
}
