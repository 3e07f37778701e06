package local

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// A visibleSidecar has the attributes of an object in a file beside it, which zip, tar and
// cp -r copy: photo.jpg has .omnibucket~photo.jpg. See writesVisible. It is only
// read if the object has no other attributes, or if the disk forgets them, and only used if the size matches.
//
// It is removed before the object is replaced, and written again afterwards. A process that is killed in
// between leaves an object without a sidecar, but never with a wrong sidecar.
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

// writesVisible reports whether objects get visible sidecars.
func (r *reader) writesVisible() bool { return r.visible || r.forgets() }

// forgets reports whether files may get other inodes when the disk is mounted, as on FAT and exFAT, which have no
// extended attributes and coarse times. A sidecar whose name is an inode may then be lost, or may be taken for that
// of another file of the same size and time.
func (r *reader) forgets() bool { return r.tree.coarse.Load() && r.sidecars.Load() }

// visibleOr returns the attributes of the visible sidecar with the revision of own, or own if there is none. own may
// be nil.
func (r *reader) visibleOr(own *attrs, l location, m osdir.Meta) (*attrs, error) {
	a, err := r.visibleAttrs(l, m)
	if a == nil || err != nil {
		return own, err
	}
	if own != nil {
		a.unique = own.unique
	}
	return a, nil
}

const maxVisible = 1 << 20 // bytes; this package writes no larger sidecar

// visibleName returns the name of the sidecar in the directory altDir.
func (l location) visibleName() string {
	return reserved + string(markVisible) + l.altBase[len(reserved)+1:]
}

// stageVisible writes the sidecar of an object as a staged file.
func (s *staging) stageVisible(ctx context.Context, a *attrs, like osdir.Meta) (*stagedFile, error) {
	text, err := json.MarshalIndent(visibleSidecar{
		ContentType: a.ContentType, ContentEncoding: a.ContentEncoding, ContentDisposition: a.ContentDisposition,
		ContentLanguage: a.ContentLanguage, CacheControl: a.CacheControl, StorageClass: a.StorageClass,
		Metadata:   a.Metadata,
		PublicRead: a.publicRead, Tags: a.tags, RetentionMode: string(a.retention.Mode), RetainUntil: a.retention.Until,
		LegalHold: a.hold,
		CRC32C:    a.crc, Size: a.size, Modified: time.Unix(0, a.mtime).UTC(),
	}, "", "\t")
	if err != nil {
		return nil, failure(err)
	}
	st, err := s.stage(ctx)
	if err != nil {
		return nil, err
	}
	if err = s.fill(ctx, st.file, bytes.NewReader(append(text, '\n'))); err == nil && like.Mode != 0 {
		err = failure(st.file.SetMode(like.Mode))
	}
	if err == nil {
		err = s.finish(st)
	}
	if err != nil {
		s.discard(st)
		return nil, err
	}
	return st, nil
}

// visibleAttrs reads the visible sidecar of the current object. It returns nil if there is
// none for a file with meta m.
func (r *reader) visibleAttrs(l location, m osdir.Meta) (*attrs, error) {
	f, err := r.openIn(l.altDir, l.visibleName())
	if f == nil || err != nil {
		return nil, err
	}
	file := f.OSFile(l.visibleName())
	defer func() { _ = file.Close() }()
	text, err := io.ReadAll(io.LimitReader(file, maxVisible))
	if err != nil {
		return nil, failure(err)
	}
	var v visibleSidecar
	if json.Unmarshal(text, &v) != nil || v.Size != m.Size {
		return nil, nil
	}
	return &attrs{
		Properties: storage.Properties{
			ContentType: v.ContentType, ContentEncoding: v.ContentEncoding, ContentDisposition: v.ContentDisposition,
			ContentLanguage: v.ContentLanguage, CacheControl: v.CacheControl, StorageClass: v.StorageClass,
			Metadata: v.Metadata,
		},
		publicRead: v.PublicRead, tags: v.Tags, hold: v.LegalHold,
		retention: v.retention(),
		crc:       v.CRC32C, size: v.Size, mtime: v.Modified.UnixNano(),
	}, nil
}

// retention returns the retention, with its time rounded up to a second. It returns none if
// another program wrote a mode that is not known, or only one of mode and time.
func (v *visibleSidecar) retention() storage.Retention {
	mode, until := storage.RetentionMode(v.RetentionMode), v.RetainUntil.UTC()
	if mode != storage.Governance && mode != storage.Compliance || until.IsZero() {
		return storage.Retention{}
	}
	return storage.Retention{Mode: mode, Until: until.Add(time.Second - 1).Truncate(time.Second)}
}

// dropVisible removes the sidecar of an object that is about to change, even if this
// driver writes none.
func (s *candidates) dropVisible(ctx context.Context) error {
	alternate, err := s.alternateDir()
	if err != nil || alternate == nil || s.bare {
		return err
	}
	err = osdir.RetryInUse(ctx, func() error { return alternate.Unlink(s.l.visibleName()) })
	if osdir.IsNoFile(err) {
		return nil
	}
	if err == nil { // before the object changes: a power failure must not leave it beside another object
		err = s.tree.flush(alternate)
	}
	return failure(err)
}

// adopt moves attributes from the visible sidecar into the object, before the object changes.
// An object that a tool has copied has attributes only in the sidecar. It would lose them with
// the sidecar, if the process is killed or if the object becomes a noncurrent version.
func (s *candidates) adopt(ctx context.Context, at objectFile) error {
	has, err := s.hasVisible()
	if err != nil || !has {
		s.bare = err == nil
		return err
	}
	err = s.adoptVisible(ctx, at)
	if osdir.IsNoFile(err) || !s.tree.keepsVersions() {
		return nil // a full disk must not prevent a removal
	}
	return failure(err)
}

// hasVisible reports whether the object has a visible sidecar.
func (s *candidates) hasVisible() (bool, error) {
	alternate, err := s.alternateDir()
	if err != nil || alternate == nil {
		return false, err
	}
	_, err = alternate.Stat(s.l.visibleName())
	return !osdir.IsNoFile(err), nil
}

func (s *candidates) adoptVisible(ctx context.Context, at objectFile) error {
	f, err := at.dir.Open(at.base)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	own, err := s.reader.attrsOfFile(f)
	if err != nil || own != nil && !s.reader.forgets() {
		return err
	}
	a, err := s.reader.visibleOr(own, s.l, f.Meta)
	if a == own || err != nil {
		return err
	}
	if !a.matches(f.Meta) {
		a.crc, a.mtime = storage.CRC32C{}, f.Meta.MTime
	}
	return s.staging.replaceAttrs(ctx, f, a)
}

// putVisible gives a staged sidecar its name. If the directory was removed meanwhile, it
// starts over itself, and not commit: the object is already visible.
func (s *candidates) putVisible(ctx context.Context, st *stagedFile) error {
	return unknownOutcome(s.tree.retry(ctx, func() error {
		err := s.moveVisible(ctx, st)
		if err == errAgain && s.alternate != nil && s.alternate != s.plain {
			s.tree.closeDir(s.alternate)
			s.alternate = nil
		}
		return err
	}))
}

func (s *candidates) moveVisible(ctx context.Context, st *stagedFile) error {
	alternate, err := s.makeAlternateDir()
	if err != nil {
		return err
	}
	if err := s.staging.place(ctx, alternate, s.l.visibleName(), st); err != nil {
		return err
	}
	return s.tree.flush(alternate)
}

// rewriteVisible writes the sidecar of a version that has become current.
func (s *candidates) rewriteVisible(ctx context.Context, at objectFile) error {
	a, meta, err := s.reader.attrsAt(at)
	if a == nil || err != nil {
		return unknownOutcome(err)
	}
	st, err := s.staging.stageVisible(ctx, a, meta)
	if err != nil {
		return unknownOutcome(err)
	}
	defer s.staging.discard(st)
	return s.putVisible(ctx, st)
}
