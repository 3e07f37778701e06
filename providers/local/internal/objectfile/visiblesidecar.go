package objectfile

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// A visibleSidecar is a file beside an object. It contains the object's attributes, and zip, tar
// and cp -r copy it together with the object. For example, photo.jpg has the sidecar
// .omnibucket~photo.jpg. Only some buckets write these sidecars; see WritesVisible. A sidecar is
// read if the object has no other attributes, or if the disk may lose them (see ForgetsInodes). A sidecar
// is ignored if the size in it is not the size of the object.
//
// Before an object is replaced, its sidecar is removed. Afterwards, a new sidecar is written. If
// the process is killed in between, the object has no sidecar. It never has a wrong one.
type visibleSidecar struct {
	ContentType        string            `json:"contentType,omitempty"`
	ContentEncoding    string            `json:"contentEncoding,omitempty"`
	ContentDisposition string            `json:"contentDisposition,omitempty"`
	ContentLanguage    string            `json:"contentLanguage,omitempty"`
	CacheControl       string            `json:"cacheControl,omitempty"`
	StorageClass       string            `json:"storageClass,omitempty"`
	Metadata           map[string]string `json:"metadata,omitempty"`
	PublicRead         bool              `json:"publicRead,omitempty"`
	Tags               map[string]string `json:"tags,omitempty"`
	RetentionMode      string            `json:"retentionMode,omitempty"`
	RetainUntil        time.Time         `json:"retainUntil,omitzero"`
	LegalHold          bool              `json:"legalHold,omitempty"`
	CRC32C             storage.CRC32C    `json:"crc32c,omitzero"`
	Size               int64             `json:"size"`
	Modified           time.Time         `json:"modified"`
}

// WritesVisible reports whether writes also write visible sidecars.
func (r *Reader) WritesVisible() bool { return r.Visible || r.ForgetsInodes() }

// ForgetsInodes reports whether files may have other inodes after the disk is mounted again. FAT and
// exFAT have this problem. They also have coarse times and no extended attributes. A sidecar with
// the file's inode as its name could be lost on them. Worse, it could be taken for the sidecar of
// another file with the same size and time.
func (r *Reader) ForgetsInodes() bool { return r.Tree.Coarse.Load() && r.Sidecars.Load() }

// PreferVisible returns the attributes in the visible sidecar, with the revision of stored. It returns
// stored itself, which may be nil, if the object has no visible sidecar.
func (r *Reader) PreferVisible(stored *Attrs, loc bucketdir.Location, meta osdir.Meta) (*Attrs, error) {
	visible, err := r.visibleAttrs(loc, meta)
	if visible == nil || err != nil {
		return stored, err
	}
	if stored != nil {
		visible.Unique = stored.Unique
	}
	return visible, nil
}

const maxVisible = 1 << 20 // bytes; this package writes only smaller sidecars

// StageVisible writes the visible sidecar of an object as a staged file, with the mode of the
// object's file.
func (s *Staging) StageVisible(ctx context.Context, attrs *Attrs, file osdir.Meta) (*StagedFile, error) {
	text, err := json.MarshalIndent(newVisibleSidecar(attrs), "", "\t")
	if err != nil {
		return nil, bucketdir.WrapError(err)
	}
	staged, err := s.Stage(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.writeVisible(ctx, staged, append(text, '\n'), file.Mode); err != nil {
		s.Discard(staged)
		return nil, err
	}
	return staged, nil
}

// writeVisible writes text to the staged file of a visible sidecar, sets the file's mode and closes
// it. A mode of 0, as on Windows, is not set.
func (s *Staging) writeVisible(ctx context.Context, staged *StagedFile, text []byte, mode uint32) error {
	if err := s.Fill(ctx, staged.File, bytes.NewReader(text)); err != nil {
		return err
	}
	if mode != 0 {
		if err := staged.File.SetMode(mode); err != nil {
			return bucketdir.WrapError(err)
		}
	}
	return s.Finish(staged)
}

// newVisibleSidecar returns the content of the visible sidecar of an object with these attributes.
func newVisibleSidecar(attrs *Attrs) visibleSidecar {
	return visibleSidecar{
		ContentType:        attrs.ContentType,
		ContentEncoding:    attrs.ContentEncoding,
		ContentDisposition: attrs.ContentDisposition,
		ContentLanguage:    attrs.ContentLanguage,
		CacheControl:       attrs.CacheControl,
		StorageClass:       attrs.StorageClass,
		Metadata:           attrs.Metadata,
		PublicRead:         attrs.PublicRead,
		Tags:               attrs.Tags,
		RetentionMode:      string(attrs.Retention.Mode),
		RetainUntil:        attrs.Retention.Until,
		LegalHold:          attrs.LegalHold,
		CRC32C:             attrs.CRC32C,
		Size:               attrs.Size,
		Modified:           time.Unix(0, attrs.MTime).UTC(),
	}
}

// visibleAttrs returns the attributes in the visible sidecar of the object at loc, or nil if there is
// no sidecar for a file of the size in meta.
func (r *Reader) visibleAttrs(loc bucketdir.Location, meta osdir.Meta) (*Attrs, error) {
	f, err := r.OpenIn(loc.AltDir, loc.VisibleName())
	if f == nil || err != nil {
		return nil, err
	}

	file := f.OSFile(loc.VisibleName())
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxVisible))
	if err != nil {
		return nil, bucketdir.WrapError(err)
	}

	var v visibleSidecar
	if err := json.Unmarshal(text, &v); err != nil {
		// Another program has written the file.
		return nil, nil
	}
	if v.Size != meta.Size {
		// The sidecar belongs to an earlier content of the file.
		return nil, nil
	}
	return v.attrs(), nil
}

// attrs returns the attributes in the sidecar.
func (v *visibleSidecar) attrs() *Attrs {
	return &Attrs{
		Properties: storage.Properties{
			ContentType:        v.ContentType,
			ContentEncoding:    v.ContentEncoding,
			ContentDisposition: v.ContentDisposition,
			ContentLanguage:    v.ContentLanguage,
			CacheControl:       v.CacheControl,
			StorageClass:       v.StorageClass,
			Metadata:           v.Metadata,
		},
		PublicRead: v.PublicRead,
		Tags:       v.Tags,
		LegalHold:  v.LegalHold,
		Retention:  v.retention(),
		CRC32C:     v.CRC32C,
		Size:       v.Size,
		MTime:      v.Modified.UnixNano(),
	}
}

// retention returns the retention in the sidecar, with its time rounded up to a second. It is empty
// if another program has written an unknown mode, or only one of mode and time.
func (v *visibleSidecar) retention() storage.Retention {
	mode := storage.RetentionMode(v.RetentionMode)
	if mode != storage.Governance && mode != storage.Compliance {
		return storage.Retention{}
	}
	until := v.RetainUntil.UTC()
	if until.IsZero() {
		return storage.Retention{}
	}
	roundedUp := until.Add(time.Second - 1).Truncate(time.Second)
	return storage.Retention{Mode: mode, Until: roundedUp}
}

// DropVisible removes the visible sidecar, the file beside an object with its attributes, before the
// object changes. It does so even if this driver writes no visible sidecars.
func (c *Candidates) DropVisible(ctx context.Context) error {
	if c.lacksVisible {
		return nil
	}
	dir, err := c.alternateDir()
	if err != nil || dir == nil {
		return err
	}
	err = dir.UnlinkInUse(ctx, c.Location.VisibleName())
	if osdir.IsNoFile(err) {
		return nil
	}
	if err != nil {
		return bucketdir.WrapError(err)
	}
	// Flush now: a power failure must not leave the sidecar beside a changed object.
	return bucketdir.WrapError(c.tree.Flush(dir))
}

// Adopt copies the attributes in the visible sidecar, the file beside an object, to the object's file
// before the object changes. If a backup tool has copied the object, only the sidecar has them, and a
// killed process or a new version would lose them.
func (c *Candidates) Adopt(ctx context.Context, file ObjectFile) error {
	hasVisible, err := c.HasVisible()
	if err != nil {
		return err
	}
	if !hasVisible {
		c.lacksVisible = true // DropVisible then need not look for it
		return nil
	}

	err = c.adoptVisible(ctx, file)
	if osdir.IsNoFile(err) {
		// The object was removed meanwhile.
		return nil
	}
	if !c.tree.KeepsVersions() {
		// The file is about to be removed, and a full disk must not prevent that.
		return nil
	}
	// The file stays as a noncurrent version, which must not lose its attributes.
	return bucketdir.WrapError(err)
}

// HasVisible reports whether the object has a visible sidecar.
func (c *Candidates) HasVisible() (bool, error) {
	alternate, err := c.alternateDir()
	if err != nil || alternate == nil {
		return false, err
	}
	_, err = alternate.Stat(c.Location.VisibleName())
	return !osdir.IsNoFile(err), nil
}

// adoptVisible copies the attributes in the visible sidecar to the object's file, unless the file has
// attributes that are certainly its own.
func (c *Candidates) adoptVisible(ctx context.Context, file ObjectFile) error {
	f, err := file.Dir.Open(file.Base)
	if err != nil {
		return err
	}
	defer f.Close()

	stored, err := c.reader.AttrsOfFile(f)
	if err != nil {
		return err
	}
	if stored != nil && !c.reader.ForgetsInodes() {
		return nil
	}

	// On a disk that forgets inodes, the stored attributes may be those of another file.
	visible, err := c.reader.PreferVisible(stored, c.Location, f.Meta)
	if err != nil {
		return err
	}
	if visible == stored {
		// There is no visible sidecar.
		return nil
	}

	// The checksum in the sidecar holds only for the time that the sidecar records.
	if !visible.Matches(f.Meta) {
		visible.CRC32C = storage.CRC32C{}
		visible.MTime = f.Meta.MTime
	}
	return c.staging.replaceAttrs(ctx, f, visible)
}

// PutVisible moves a staged visible sidecar to its final name beside the object. It repeats the move
// itself if the directory is removed meanwhile, because the caller, whose object is already visible,
// cannot start again.
func (c *Candidates) PutVisible(ctx context.Context, staged *StagedFile) error {
	return bucketdir.UnknownOutcome(c.tree.Retry(ctx, func() error {
		err := c.moveVisible(ctx, staged)
		hasOwnAlternate := c.alternate != nil && c.alternate != c.Plain
		if err == bucketdir.ErrRetry && hasOwnAlternate {
			// The next attempt opens the directory again.
			c.tree.CloseDir(c.alternate)
			c.alternate = nil
		}
		return err
	}))
}

// moveVisible makes one attempt to move a staged sidecar to its final name. It fails with ErrRetry if
// the directory is removed meanwhile.
func (c *Candidates) moveVisible(ctx context.Context, staged *StagedFile) error {
	alternate, err := c.MakeAlternateDir()
	if err != nil {
		return err
	}
	if err := c.staging.Place(ctx, alternate, c.Location.VisibleName(), staged); err != nil {
		return err
	}
	return c.tree.Flush(alternate)
}

// RewriteVisible writes the visible sidecar of a version that has become current, unless its file has
// no attributes.
func (c *Candidates) RewriteVisible(ctx context.Context, file ObjectFile) error {
	attrs, meta, err := c.reader.attrsAt(file)
	if attrs == nil || err != nil {
		return bucketdir.UnknownOutcome(err)
	}
	staged, err := c.staging.StageVisible(ctx, attrs, meta)
	if err != nil {
		return bucketdir.UnknownOutcome(err)
	}
	defer c.staging.Discard(staged)
	return c.PutVisible(ctx, staged)
}
