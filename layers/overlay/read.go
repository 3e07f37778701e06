package overlay

import (
	"cmp"
	"context"
	"errors"
	"io"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/metadata"
)

// oldTag begins the revisions of objects in the old store.
const oldTag = "old:"

// fromOld returns attributes of the old store as those of a driver.
func (s *stores) fromOld(attrs *storage.Attrs) *storage.Attrs {
	own := *attrs
	own.Version, own.Native = "", nil
	own.Revision = s.oldRevision(attrs.Revision)
	if s.desc.ASCIIMetadata && len(attrs.Metadata) > 0 { // the core decodes it
		own.Metadata = make(map[string]string, len(attrs.Metadata))
		for name, value := range attrs.Metadata {
			own.Metadata[name] = metadata.EncodeValue(value)
		}
	}
	return &own
}

func (s *stores) oldRevision(revision string) string {
	switch {
	case revision == "":
		return ""
	case s.desc.TaggedRevisions:
		return s.desc.Provider + ":" + oldTag + revision
	}
	return oldTag + revision
}

// cutOld returns the revision of an object in the old store as its bucket has it.
func (s *stores) cutOld(revision string) (string, bool) {
	if s.desc.TaggedRevisions {
		revision = strings.TrimPrefix(revision, s.desc.Provider+":")
	}
	return strings.CutPrefix(revision, oldTag)
}

func (s *stores) isOld(revision string) bool {
	_, is := s.cutOld(revision)
	return is
}

// oldCondition returns the condition of a read for the old store. It fails if no object there can
// meet it.
func (s *stores) oldCondition(c storage.Condition) ([]storage.Condition, error) {
	revision, isOld := s.cutOld(c.Revision)
	switch {
	case isOld:
		return []storage.Condition{{Revision: revision}}, nil
	case c.Revision != "":
		return nil, storage.PreconditionFailed
	}
	if revision, isOld = s.cutOld(c.NotRevision); isOld {
		return []storage.Condition{{NotRevision: revision}}, nil
	}
	return nil, nil
}

// forNew returns a request for the new store. A revision of the old store is never one there.
func (s *stores) forNew(r *driver.GetRequest) (own *driver.GetRequest, oldOnly bool) {
	if s.isOld(r.Condition.Revision) {
		return r, true
	}
	if s.isOld(r.Condition.NotRevision) {
		copied := *r
		copied.Condition = storage.Condition{}
		return &copied, false
	}
	return r, false
}

// Get reads from the new store, and else from the old one. An object that is in neither is looked for
// in the new store again: it may have been written there before it was removed from the old one.
func (d *objectDriver) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	attrs, body, err := d.stores.getNew(ctx, r)
	if !errors.Is(err, errLookInOld) {
		return attrs, body, err
	}
	if d.stores.config.CopyOnRead && r.Offset == 0 && r.Length < 0 && r.Suffix == 0 && r.Condition.Revision == "" {
		if _, err := d.stores.copyOld(ctx, r.Key); err != nil && !errors.Is(err, storage.ObjectNotFound) {
			return nil, nil, err
		}
		if attrs, body, err = d.stores.getNew(ctx, r); !errors.Is(err, errLookInOld) {
			return attrs, body, err
		}
	}
	reader, err := d.stores.getOld(ctx, r)
	if err != nil && lacks(err) {
		if attrs, body, err = d.stores.getNew(ctx, r); !errors.Is(err, errLookInOld) {
			return attrs, body, err
		}
		return nil, nil, storage.ObjectNotFound
	}
	if err != nil {
		return nil, nil, err
	}
	return d.stores.fromOld(reader.Attrs()), reader, nil
}

// errLookInOld says that the new store has no object, and hides none of the old store.
var errLookInOld = errors.New("look in the old store")

func (s *stores) getNew(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	own, oldOnly := s.forNew(r)
	if oldOnly {
		return nil, nil, s.judge(ctx, r.Key, nil)
	}
	attrs, body, err := s.driver.Get(ctx, own)
	switch {
	case err == nil && markerOf(attrs) == "":
		return attrs, body, nil
	case err == nil:
		_ = body.Close()
	case errors.Is(err, storage.ObjectNotFound):
		return nil, nil, errLookInOld
	case !errors.Is(err, storage.RangeNotSatisfiable) && !errors.Is(err, storage.PreconditionFailed):
		return nil, nil, err
	}
	return nil, nil, s.judge(ctx, r.Key, err)
}

// judge returns the error of a read that a marker may have caused: err if it is of an object.
func (s *stores) judge(ctx context.Context, key string, err error) error {
	p, failed := s.look(ctx, key)
	switch {
	case failed != nil:
		return failed
	case p.hasObject() && err == nil: // an object has come in place of the marker, or of one in the old store
		return storage.PreconditionFailed
	case p.hasObject():
		return err
	case p.marker == removed:
		return storage.ObjectNotFound
	}
	return errLookInOld
}

// lacks reports whether an error of the old store means that it has no such object. It may refuse keys
// that the new store has.
func lacks(err error) bool {
	switch storage.CodeOf(err) {
	case storage.ObjectNotFound, storage.Unsupported, storage.InvalidArgument:
		return true
	}
	return false
}

// inOld returns the attributes of an object in the old store, or nil.
func (s *stores) inOld(ctx context.Context, key string) (*storage.Attrs, error) {
	attrs, err := s.old.Attrs(ctx, key)
	if err != nil && lacks(err) {
		return nil, nil
	}
	return attrs, err
}

func (s *stores) getOld(ctx context.Context, r *driver.GetRequest) (*storage.Reader, error) {
	conditions, err := s.oldCondition(r.Condition)
	if err != nil {
		if attrs, failed := s.inOld(ctx, r.Key); attrs == nil {
			err = cmp.Or[error](failed, storage.ObjectNotFound)
		}
		return nil, err
	}
	var opts []storage.DownloadOption
	for _, c := range conditions {
		opts = append(opts, readCondition(c))
	}
	switch {
	case r.Suffix > 0:
		opts = append(opts, storage.WithRange(-r.Suffix, -1))
	case r.Offset > 0 || r.Length >= 0:
		opts = append(opts, storage.WithRange(r.Offset, r.Length))
	}
	return s.old.Download(ctx, r.Key, opts...)
}

func readCondition(c storage.Condition) storage.ReadOption {
	if c.Revision != "" {
		return storage.IfRevision(c.Revision)
	}
	return storage.IfRevisionNot(c.NotRevision)
}

// Head is Get without a body.
func (d *objectDriver) Head(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, error) {
	attrs, err := d.stores.headNew(ctx, r)
	if !errors.Is(err, errLookInOld) {
		return attrs, err
	}
	attrs, err = d.stores.headOld(ctx, r)
	if err != nil && lacks(err) {
		if attrs, err = d.stores.headNew(ctx, r); errors.Is(err, errLookInOld) {
			err = storage.ObjectNotFound
		}
	}
	return attrs, err
}

func (s *stores) headNew(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, error) {
	own, oldOnly := s.forNew(r)
	if oldOnly {
		return nil, s.judge(ctx, r.Key, nil)
	}
	attrs, err := s.driver.Head(ctx, own)
	switch {
	case err == nil && markerOf(attrs) == "":
		return attrs, nil
	case err == nil && markerOf(attrs) == removed:
		return nil, storage.ObjectNotFound
	case err == nil, errors.Is(err, storage.ObjectNotFound):
		return nil, errLookInOld
	case errors.Is(err, storage.PreconditionFailed):
		return nil, s.judge(ctx, r.Key, err)
	}
	return nil, err
}

func (s *stores) headOld(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, error) {
	conditions, err := s.oldCondition(r.Condition)
	if err != nil {
		if attrs, failed := s.inOld(ctx, r.Key); attrs == nil {
			err = cmp.Or[error](failed, storage.ObjectNotFound)
		}
		return nil, err
	}
	var opts []storage.AttrsOption
	for _, c := range conditions {
		opts = append(opts, readCondition(c))
	}
	attrs, err := s.old.Attrs(ctx, r.Key, opts...)
	if err != nil {
		return nil, err
	}
	return s.fromOld(attrs), nil
}

// Tags are those of the store that has the object.
func (d *objectDriver) Tags(ctx context.Context, r *driver.GetRequest) (map[string]string, error) {
	p, err := d.stores.look(ctx, r.Key)
	switch {
	case err != nil:
		return nil, err
	case p.hasObject():
		return d.Driver.Tags(ctx, r)
	case p.marker == removed:
		return nil, storage.ObjectNotFound
	}
	tags, err := storage.Tags(ctx, d.stores.old, r.Key)
	if err != nil && lacks(err) {
		return nil, storage.ObjectNotFound
	}
	return tags, err
}

// SetTags changes those of the store that has the object. A copy that is under way may have the former
// tags: it must begin again.
func (d *objectDriver) SetTags(ctx context.Context, r *driver.ChangeRequest) error {
	p, err := d.stores.look(ctx, r.Key)
	switch {
	case err != nil:
		return err
	case p.hasObject():
		return d.Driver.SetTags(ctx, r)
	case p.marker == removed:
		return storage.ObjectNotFound
	}
	if attrs, err := d.stores.inOld(ctx, r.Key); attrs == nil {
		return cmp.Or[error](err, storage.ObjectNotFound)
	}
	if err := storage.SetTags(ctx, d.stores.old, r.Key, r.Tags); err != nil {
		return err
	}
	for {
		p, err := d.stores.look(ctx, r.Key)
		switch {
		case err != nil:
			return err
		case p.hasObject():
			return d.Driver.SetTags(ctx, r)
		case p.marker != copying:
			return nil
		}
		own, err := d.stores.putMarker(ctx, r.Key, copying, p.condition())
		if err == nil {
			return d.stores.endMarker(ctx, r.Key, own)
		}
		if !errors.Is(err, storage.PreconditionFailed) {
			return err
		}
	}
}

// Sign signs a request for the store that has the object; an upload goes to the new one.
func (d *objectDriver) Sign(ctx context.Context, r *driver.SignRequest) (*storage.SignedURL, error) {
	if r.Method != "GET" && r.Method != "HEAD" {
		return d.Driver.Sign(ctx, r)
	}
	p, err := d.stores.look(ctx, r.Key)
	if err != nil {
		return nil, err
	}
	if p.attrs == nil || p.marker == copying {
		if _, err := d.stores.copyOld(ctx, r.Key); err != nil && !errors.Is(err, storage.ObjectNotFound) {
			return nil, err
		}
	}
	return d.Driver.Sign(ctx, r)
}
