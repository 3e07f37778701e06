package mirror

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/metadata"
)

// failedOver is the ReplicationStatus of what was read from the second store.
const failedOver = "mirror: second store"

// FailedOver reports whether attrs are from the second store, because the primary did not respond. They, and
// the object that was read with them, may be older than the last write.
func FailedOver(attrs *storage.Attrs) bool { return attrs.ReplicationStatus == failedOver }

// read asks the primary, and if that is down the second store. A read that decides about a write asks the primary
// only. One of a revision of the second store, such as the rest of a read that failed over, stays there.
func (s *stores) read(ctx context.Context, r *driver.GetRequest, primary, second func(context.Context) error) error {
	if r.Auxiliary {
		return primary(ctx)
	}
	if s.isSecond(r.Condition.Revision) {
		return s.bounded(ctx, second)
	}
	var err error
	asked := s.ofPrimary.allows()
	if asked {
		if err = s.askPrimary(ctx, primary); !down(err) || ctx.Err() != nil {
			return err
		}
	}
	failed := s.inSecond(ctx, 0, func(ctx context.Context, _ func()) error { return second(ctx) })
	switch {
	case answers(failed):
		trace.SpanFromContext(ctx).SetAttributes(attribute.Bool("omnibucket.mirror.failed_over", true))
		return failed
	case asked:
		return both(err, failed)
	}
	return s.askPrimary(ctx, primary)
}

func (s *stores) bounded(ctx context.Context, do func(context.Context) error) error {
	return watch(ctx, s.config.Stall, func(ctx context.Context, _ func()) error { return do(ctx) })
}

func (s *stores) askPrimary(ctx context.Context, primary func(context.Context) error) error {
	err := s.bounded(ctx, primary)
	if ctx.Err() == nil {
		s.ofPrimary.ended(err)
	}
	return err
}

// answers reports whether the second store has answered a read. That it lacks an object proves nothing: a note
// may say so.
func answers(err error) bool {
	switch storage.CodeOf(err) {
	case "", storage.NotModified, storage.RangeNotSatisfiable:
		return true
	}
	return false
}

// both returns the error of the primary with the text of that of the second store, whose code must not count.
func both(err, failed error) error {
	own := &storage.Error{Code: storage.CodeOf(err), Retryable: true}
	if e, ok := errors.AsType[*storage.Error](err); ok {
		*own = *e
	}
	own.Err = fmt.Errorf("%w; the second store: %v", err, failed)
	return own
}

// secondTag begins the revisions of the second store.
const secondTag = "second:"

// cutSecond returns a revision of the second store as its bucket has it.
func (s *stores) cutSecond(revision string) (string, bool) {
	if s.desc.TaggedRevisions {
		revision = strings.TrimPrefix(revision, s.desc.Provider+":")
	}
	return strings.CutPrefix(revision, secondTag)
}

func (s *stores) isSecond(revision string) bool {
	_, is := s.cutSecond(revision)
	return is
}

func (s *stores) secondRevision(revision string) string {
	switch {
	case revision == "":
		return ""
	case s.desc.TaggedRevisions:
		return s.desc.Provider + ":" + secondTag + revision
	}
	return secondTag + revision
}

// fromSecond returns attributes of the second store as those of a driver. revision is that of the primary that
// was asked for, or "".
func (s *stores) fromSecond(attrs *storage.Attrs, revision string) *storage.Attrs {
	own := *attrs
	own.Version, own.Native, own.ReplicationStatus = "", nil, failedOver
	if own.Revision = revision; revision == "" {
		own.Revision = s.secondRevision(attrs.Revision)
	}
	if s.desc.ASCIIMetadata && len(attrs.Metadata) > 0 { // the core decodes it
		own.Metadata = make(map[string]string, len(attrs.Metadata))
		for name, value := range attrs.Metadata {
			own.Metadata[name] = metadata.EncodeValue(value)
		}
	}
	return &own
}

// conditions returns those of a read in the second store, and the revision of the primary that it must have.
// It fails if the second store has another one.
func (s *stores) conditions(ctx context.Context, r *driver.GetRequest) (opts []storage.ReadOption, revision string, err error) {
	c := r.Condition
	if own, is := s.cutSecond(c.Revision); is {
		return []storage.ReadOption{storage.IfRevision(own)}, "", nil
	}
	if own, is := s.cutSecond(c.NotRevision); is {
		return []storage.ReadOption{storage.IfRevisionNot(own)}, "", nil
	}
	switch {
	case c.Revision != "":
		copied, err := s.copyOf(ctx, r.Key, c.Revision)
		if err != nil {
			return nil, "", err
		}
		return []storage.ReadOption{storage.IfRevision(copied.Revision)}, c.Revision, nil
	case c.NotRevision != "":
		if _, err := s.copyOf(ctx, r.Key, c.NotRevision); !errors.Is(err, storage.ObjectNotFound) {
			if err == nil {
				err = storage.NotModified
			}
			return nil, "", err
		}
	}
	return nil, "", nil
}

// copyOf returns what the second store has, if that is a copy of a revision of the primary; else ObjectNotFound.
func (s *stores) copyOf(ctx context.Context, key, revision string) (*storage.Attrs, error) {
	return s.second.Attrs(ctx, key, idOf(s.public(revision)).(storage.AttrsOption))
}

// inPrimary returns a read for the primary. It has no object with a revision of the second store.
func (s *stores) inPrimary(r *driver.GetRequest) *driver.GetRequest {
	if !s.isSecond(r.Condition.NotRevision) {
		return r
	}
	own := *r
	own.Condition = storage.Condition{}
	return &own
}

// Get reads from the primary, and else from the second store.
func (d *objectDriver) Get(ctx context.Context, r *driver.GetRequest) (attrs *storage.Attrs, body io.ReadCloser, err error) {
	s := d.stores
	err = s.read(ctx, r, func(watched context.Context) (err error) {
		attrs, body, err = open(ctx, watched, func(ctx context.Context) (*storage.Attrs, io.ReadCloser, error) {
			return d.Driver.Get(ctx, s.inPrimary(r))
		})
		return err
	}, func(watched context.Context) (err error) {
		attrs, body, err = open(ctx, watched, func(ctx context.Context) (*storage.Attrs, io.ReadCloser, error) { return s.getSecond(ctx, r) })
		return err
	})
	return attrs, body, err
}

func (s *stores) getSecond(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	conditions, revision, err := s.conditions(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	var opts []storage.DownloadOption
	for _, c := range conditions {
		opts = append(opts, c)
	}
	switch {
	case r.Suffix > 0:
		opts = append(opts, storage.WithRange(-r.Suffix, -1))
	case r.Offset > 0 || r.Length >= 0:
		opts = append(opts, storage.WithRange(r.Offset, r.Length))
	}
	reader, err := s.second.Download(ctx, r.Key, opts...)
	if err != nil {
		return nil, nil, err
	}
	return s.fromSecond(reader.Attrs(), revision), reader, nil
}

// Head is Get without a body. With [Config].Sync, one that decides whether a write has succeeded looks in both
// stores.
func (d *objectDriver) Head(ctx context.Context, r *driver.GetRequest) (attrs *storage.Attrs, err error) {
	s := d.stores
	err = s.read(ctx, r, func(ctx context.Context) (err error) {
		attrs, err = d.Driver.Head(ctx, s.inPrimary(r))
		return err
	}, func(ctx context.Context) (err error) {
		attrs, err = s.headSecond(ctx, r)
		return err
	})
	if err == nil && r.Auxiliary && s.config.Sync {
		err = s.requireCopy(ctx, r.Key, attrs.Revision)
	}
	return attrs, err
}

// requireCopy fails if the second store does not have a revision, and cannot get it.
func (s *stores) requireCopy(ctx context.Context, key, revision string) error {
	if _, err := s.copyOf(ctx, key, revision); err == nil {
		return nil
	}
	return s.equalize(ctx, key, true)
}

func (s *stores) headSecond(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, error) {
	conditions, revision, err := s.conditions(ctx, r)
	if err != nil {
		return nil, err
	}
	var opts []storage.AttrsOption
	for _, c := range conditions {
		opts = append(opts, c)
	}
	attrs, err := s.second.Attrs(ctx, r.Key, opts...)
	if err != nil {
		return nil, err
	}
	return s.fromSecond(attrs, revision), nil
}

// Tags are those of the primary, and else those of the second store.
func (d *objectDriver) Tags(ctx context.Context, r *driver.GetRequest) (tags map[string]string, err error) {
	err = d.stores.read(ctx, r, func(ctx context.Context) (err error) {
		tags, err = d.Driver.Tags(ctx, r)
		return err
	}, func(ctx context.Context) (err error) {
		tags, err = storage.Tags(ctx, d.stores.second, r.Key)
		return err
	})
	return tags, err
}
