package local

import (
	"context"
	"strings"
	"sync/atomic"
	"time"

	"github.com/omnibucket/storage/internal/staleupload"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// isSweepDue reports whether the last sweep was long enough ago. It returns true to one of several calls.
func isSweepDue(last *atomic.Int64, now time.Time) bool {
	before, at := last.Load(), now.UnixNano()
	return (at < before || at-before >= int64(staleupload.Period)) && last.CompareAndSwap(before, at)
}

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
	c := takeOver(s.tree.root, staging.PathOf(strings.TrimSuffix(name, markerSuffix)), old)
	if c == nil {
		return
	}
	defer c.end() // last, so that a later sweep can continue an interrupted one
	d, err := s.tree.openToRead(c.path)
	if err != nil {
		return
	}
	defer d.Close()
	_ = d.Each(func(e osdir.Entry) bool {
		if m, err := d.Stat(e.Name); err == nil {
			s.reader.dropSidecar(m) // unless the writer has linked the file to its place: then the object needs it
			_ = d.Unlink(e.Name)
		}
		return true
	})
}
