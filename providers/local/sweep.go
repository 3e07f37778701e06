package local

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"time"
)

// abandonedAge is the age at which files without a marker are abandoned.
const abandonedAge = time.Hour

// sweep removes the files that killed writers left.
func (s *store) sweep(ctx context.Context) error {
	s.uploads.sweepUploads(ctx)
	return s.staging.sweepStaging()
}

// sweepStaging removes the staging directories of writers that have ended: their markers
// can be locked.
func (s *staging) sweepStaging() error {
	staging, err := s.tree.openToRead(tmpPath)
	if err != nil {
		return unlessAbsent(err)
	}
	defer staging.close()
	var entries []dirent
	if err := staging.read(func(e dirent) bool {
		entries = append(entries, e)
		return true
	}); err != nil {
		return failure(err)
	}
	for _, e := range entries {
		s.sweepEntry(staging, e.name)
	}
	return nil
}

// sweepEntry removes an entry, if it is abandoned. If that fails, a later sweep tries again.
func (s *staging) sweepEntry(staging *dir, name string) {
	m, err := staging.stat(name)
	if err != nil {
		return
	}
	old := time.Since(m.time()) > abandonedAge
	if m.kind != kindDir && !strings.HasSuffix(name, markerSuffix) {
		if old {
			_ = staging.unlink(name)
		}
		return
	}
	name = strings.TrimSuffix(name, markerSuffix)
	marker, err := s.root.OpenFile(staging.name(name+markerSuffix), os.O_RDWR, 0)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) && old {
			s.sweepStagingDir(staging, name)
		}
		return
	}
	defer func() { _ = marker.Close() }()
	if tryLockFile(marker) == nil {
		s.sweepStagingDir(staging, name)
	}
}

// sweepStagingDir removes the files with their sidecars. It removes the marker last, so
// that a later sweep can continue an interrupted one.
func (s *staging) sweepStagingDir(staging *dir, name string) {
	d, err := s.tree.openToRead(staging.name(name))
	if err == nil {
		_ = d.read(func(e dirent) bool {
			if m, err := d.stat(e.name); err == nil {
				s.sweepFile(d, e.name, m)
			}
			return true
		})
		d.close()
		err = staging.rmdir(name)
	}
	if err == nil || isNotExist(err) {
		_ = staging.unlink(name + markerSuffix)
	}
}

// sweepFile removes a file. If its writer linked it to its place before it ended, the
// object needs the sidecar, and sweepFile keeps it.
func (s *staging) sweepFile(d *dir, name string, m meta) {
	s.reader.dropSidecar(m)
	_ = d.unlink(name)
}
