package objectfile

import (
	"context"
	"errors"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// ChangeCurrent changes the attributes of the current object. It removes the object's visible
// sidecar before, and writes a new one afterwards.
func (s *Candidates) ChangeCurrent(ctx context.Context, current ObjectFile, change func(*Attrs) error) error {
	if err := s.adoptVisible(ctx, current); err != nil && !osdir.IsNoFile(err) {
		return bucketdir.Failure(err)
	}

	f, err := current.Dir.Open(current.Base)
	if osdir.IsNoFile(err) {
		return s.tree.NotFoundError()
	}
	if err != nil {
		return bucketdir.Failure(err)
	}
	defer f.Close()

	a, err := s.staging.changedAttrs(f, change)
	if err != nil {
		return err
	}
	var visible *StagedFile // nil if the bucket has no visible sidecars
	if s.reader.WritesVisible() {
		visible, err = s.staging.StageVisible(ctx, a, f.Meta)
		if err != nil {
			return err
		}
		defer s.staging.Discard(visible)
	}

	// While the attributes change, there is no visible sidecar.
	if err := s.DropVisible(ctx); err != nil {
		return err
	}
	if err := s.staging.replaceAttrs(ctx, f, a); err != nil {
		return err
	}
	if visible == nil {
		return nil
	}
	return s.PutVisible(ctx, visible)
}

// ChangeFile calls the function change with the attributes of a file. Then it stores the changed
// attributes.
func (s *Staging) ChangeFile(ctx context.Context, f *osdir.File, change func(*Attrs) error) error {
	a, err := s.changedAttrs(f, change)
	if err != nil {
		return err
	}
	return s.replaceAttrs(ctx, f, a)
}

// changedAttrs calls the function change with the attributes of a file, and returns the changed
// attributes. It does not store them.
func (s *Staging) changedAttrs(f *osdir.File, change func(*Attrs) error) (*Attrs, error) {
	a, err := s.Reader.AttrsOfFile(f)
	if err != nil {
		return nil, err
	}
	if a == nil {
		// A file of another program has no attributes.
		a = &Attrs{}
	}
	if err := change(a); err != nil {
		return nil, err
	}
	a.setFileInfo(f.Meta)
	return a, nil
}

// setFileInfo sets the size and time in the attributes to those of the file. If another program has
// changed the file, setFileInfo also removes the checksum and the revision, which are no longer right.
func (a *Attrs) setFileInfo(m osdir.Meta) {
	if a.Matches(m) {
		return
	}
	a.CRC32C = storage.CRC32C{}
	a.Unique = ""
	a.Size = m.Size
	a.MTime = m.MTime
}

// replaceAttrs atomically replaces the attributes of a visible file. If a sidecar is no longer
// needed, it remains, because a reader may be about to read it.
func (s *Staging) replaceAttrs(ctx context.Context, f *osdir.File, a *Attrs) error {
	value := a.Encode()
	if !s.Reader.NoXattr && f.SetXattr(value) == nil {
		return s.syncAttrs(f)
	}
	w, err := s.Dir(ctx)
	if err != nil {
		return err
	}
	if err := s.writeSidecar(&StagedFile{Dir: w.Dir, Meta: f.Meta}, value); err != nil {
		return err
	}
	if s.Reader.NoXattr {
		return nil
	}
	old, err := f.Xattr()
	if old == nil || errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	// The old attribute takes precedence until it is removed.
	if err := f.RemoveXattr(); err != nil {
		return bucketdir.Failure(err)
	}
	return s.syncAttrs(f)
}

// syncAttrs flushes a visible file whose attributes were changed, unless Config.NoSync is set.
func (s *Staging) syncAttrs(f *osdir.File) error {
	if !s.Tree.Sync {
		return nil
	}
	return bucketdir.UnknownOutcome(f.Sync())
}
