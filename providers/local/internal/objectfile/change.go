package objectfile

import (
	"context"
	"errors"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// ChangeCurrent calls change with the attributes of the current object and stores the result. Before it
// stores the result, it removes the object's visible sidecar, the file beside it with its attributes.
// At the end, it writes a new one if the bucket writes such files.
func (c *Candidates) ChangeCurrent(ctx context.Context, current ObjectFile, change func(*Attrs) error) error {
	// Keep the attributes that only the visible sidecar has.
	if err := c.adoptVisible(ctx, current); err != nil && !osdir.IsNoFile(err) {
		return bucketdir.WrapError(err)
	}

	// Another program may have removed the object since it was found.
	f, err := current.Dir.Open(current.Base)
	if osdir.IsNoFile(err) {
		return c.tree.NotFoundError()
	}
	if err != nil {
		return bucketdir.WrapError(err)
	}
	defer f.Close()

	attrs, err := c.staging.changedAttrs(f, change)
	if err != nil {
		return err
	}
	if !c.reader.WritesVisible() {
		return c.storeAttrs(ctx, f, attrs)
	}

	// Write the new sidecar to a staged file first: this step fails most easily, and changes nothing yet.
	visible, err := c.staging.StageVisible(ctx, attrs, f.Meta)
	if err != nil {
		return err
	}
	defer c.staging.Discard(visible)
	if err := c.storeAttrs(ctx, f, attrs); err != nil {
		return err
	}
	return c.PutVisible(ctx, visible)
}

// storeAttrs removes the visible sidecar of the object, and stores new attributes in its file f.
func (c *Candidates) storeAttrs(ctx context.Context, f *osdir.File, attrs *Attrs) error {
	if err := c.DropVisible(ctx); err != nil {
		return err
	}
	return c.staging.replaceAttrs(ctx, f, attrs)
}

// ChangeFile calls change with the attributes of a file and stores the result.
func (s *Staging) ChangeFile(ctx context.Context, f *osdir.File, change func(*Attrs) error) error {
	attrs, err := s.changedAttrs(f, change)
	if err != nil {
		return err
	}
	return s.replaceAttrs(ctx, f, attrs)
}

// changedAttrs returns the attributes of a file after change has changed them. It does not store
// them.
func (s *Staging) changedAttrs(f *osdir.File, change func(*Attrs) error) (*Attrs, error) {
	attrs, err := s.Reader.AttrsOfFile(f)
	if err != nil {
		return nil, err
	}
	if attrs == nil {
		// A file of another program has no attributes.
		attrs = &Attrs{}
	}
	if err := change(attrs); err != nil {
		return nil, err
	}
	attrs.setFileInfo(f.Meta)
	return attrs, nil
}

// setFileInfo makes the attributes match a file. If another program has changed the file, it sets
// size and time, and removes the checksum and the revision, which are no longer right.
func (a *Attrs) setFileInfo(meta osdir.Meta) {
	if a.Matches(meta) {
		return
	}
	a.CRC32C = storage.CRC32C{}
	a.Unique = ""
	a.Size = meta.Size
	a.MTime = meta.MTime
}

// replaceAttrs atomically replaces the attributes of an object's file. It stores them in an extended
// attribute or, if that is impossible, in a sidecar, a file for the attributes of another file. A reader
// prefers the extended attribute.
func (s *Staging) replaceAttrs(ctx context.Context, f *osdir.File, attrs *Attrs) error {
	value := attrs.Encode()
	if !s.Reader.NoXattr && f.SetXattr(value) == nil {
		// If there is a sidecar with the old attributes, it stays, because another process may be about to
		// read it.
		return s.syncAttrs(f)
	}

	// Write the sidecar before the old extended attribute is removed, so that the file always has
	// attributes.
	dir, err := s.Dir(ctx)
	if err != nil {
		return err
	}
	if err := s.writeSidecar(&StagedFile{Dir: dir.Dir, Meta: f.Meta}, value); err != nil {
		return err
	}
	if s.Reader.NoXattr {
		// Nobody reads extended attributes.
		return nil
	}
	return s.removeXattr(f)
}

// removeXattr removes the xattr of a file, if the file has one. It is called after new attributes of the
// object were written to a sidecar. The xattr has the old ones, and takes precedence as long as it exists.
func (s *Staging) removeXattr(f *osdir.File) error {
	old, err := f.Xattr()
	if errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	if err != nil {
		return bucketdir.WrapError(err)
	}
	if old == nil {
		return nil
	}
	if err := f.RemoveXattr(); err != nil {
		return bucketdir.WrapError(err)
	}
	return s.syncAttrs(f)
}

// syncAttrs flushes a file whose attributes were changed to the disk, if the tree wants that.
func (s *Staging) syncAttrs(f *osdir.File) error {
	if !s.Tree.Sync {
		return nil
	}
	return bucketdir.UnknownOutcome(f.Sync())
}
