package local

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// abandonedAge is the age at which files without a marker are abandoned.
const abandonedAge = time.Hour

// sweep removes the files that killed writers left.
func (s *store) sweep(ctx context.Context) error {
	s.uploads.sweepUploads(ctx)
	s.removed.sweep(ctx)
	return s.staging.sweepStaging()
}

// sweepStaging removes the staging directories of writers that have ended: their markers
// can be locked.
func (s *staging) sweepStaging() error {
	staging, err := s.tree.openToRead(tmpPath)
	if err != nil {
		return unlessAbsent(err)
	}
	defer staging.Close()
	names, err := staging.Names(func(osdir.Entry) bool { return true })
	if err != nil {
		return failure(err)
	}
	for _, name := range names {
		s.sweepEntry(staging, name)
	}
	return nil
}

// sweepEntry removes an entry, if it is abandoned. If that fails, a later sweep tries again.
func (s *staging) sweepEntry(staging *osdir.Dir, name string) {
	m, err := staging.Stat(name)
	if err != nil {
		return
	}
	old := time.Since(m.Time()) > abandonedAge
	if m.Kind != osdir.KindDir && !strings.HasSuffix(name, markerSuffix) {
		if old {
			_ = staging.Unlink(name)
		}
		return
	}
	name = strings.TrimSuffix(name, markerSuffix)
	marker, err := s.root.OpenFile(staging.PathOf(name+markerSuffix), os.O_RDWR, 0)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) && old {
			s.sweepStagingDir(staging, name)
		}
		return
	}
	defer func() { _ = marker.Close() }()
	if osdir.TryLock(marker) == nil {
		s.sweepStagingDir(staging, name)
	}
}

// sweepStagingDir removes the files with their sidecars. It removes the marker last, so
// that a later sweep can continue an interrupted one.
func (s *staging) sweepStagingDir(staging *osdir.Dir, name string) {
	d, err := s.tree.openToRead(staging.PathOf(name))
	if err == nil {
		_ = d.Each(func(e osdir.Entry) bool {
			if m, err := d.Stat(e.Name); err == nil {
				s.sweepFile(d, e.Name, m)
			}
			return true
		})
		d.Close()
		err = staging.Rmdir(name)
	}
	if err == nil || osdir.IsNotExist(err) {
		_ = staging.Unlink(name + markerSuffix)
	}
}

// sweepFile removes a file. If its writer linked it to its place before it ended, the
// object needs the sidecar, and sweepFile keeps it.
func (s *staging) sweepFile(d *osdir.Dir, name string, m osdir.Meta) {
	s.reader.dropSidecar(m)
	_ = d.Unlink(name)
}
