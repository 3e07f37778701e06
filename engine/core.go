// Package engine makes a [storage.Bucket] of a [driver.Driver], and a [storage.Service] of a
// [driver.ServiceDriver]. Everything that is the same for all stores is here, once: checks, content types,
// parallel parts, resuming, checksums, retries, reconciling a lost response, error context, telemetry.
//
// Programs open a bucket by [storage.Open], or by the function of a provider. This package is for authors of
// drivers and for programs that have a driver of their own.
package engine

import (
	"cmp"
	"errors"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine/internal/telemetry"
	"github.com/omnibucket/storage/internal/buffer"
	"github.com/omnibucket/storage/internal/keyrule"
	"github.com/omnibucket/storage/internal/metadata"
)

// A bucket is the storage.Core of an opened bucket: its methods are the calls of the API, and all that they share is in
// its core.
type bucket struct{ core *core }

// A core is one opened bucket.
type core struct {
	driver         driver.Driver
	desc           driver.Description
	tag            string // the prefix of revisions, which names the provider
	metadata       metadata.Coding
	features       storage.Features // the features that are in force
	hooks          []storage.Hook
	bufferLimit    *buffer.Limit
	retry          *retrier
	hedger         *hedger // nil if reads are not hedged
	telemetry      *telemetry.Reporter
	public         bool
	publicBaseURL  string
	signingBaseURL string
	partSize       int64          // bytes of a part if WithPartSize is not given; 0 if the driver decides
	optionError    *storage.Error // every operation fails with it; nil if all options are valid

	closed   atomic.Bool
	closing  sync.Once
	closeErr error
	forget   func() // removes the bucket from its service; nil if no service has opened it
}

// New makes a [storage.Bucket] of a [driver.Driver]; providers return no other implementation.
func New(d driver.Driver, opts ...storage.OpenOption) storage.Bucket {
	return storage.NewBucket(bucket{newCore(d, opts, false)})
}

// newCore opens a bucket. If a Service opens it, the Service knows whether the bucket keeps
// versions.
func newCore(d driver.Driver, opts []storage.OpenOption, serviced bool) *core {
	o := &storage.OpenOptions{}
	bad := o.Apply(opts...)
	d, layered := layer(d, o.Layers)
	desc := d.Describe()
	reports := reporter(o, &desc)
	if o.AttemptSpans {
		d = traced(reports, d)
	}
	c := &core{
		driver:         d,
		desc:           desc,
		tag:            desc.Provider + ":",
		features:       desc.Features,
		metadata:       metadata.Coding{ASCII: desc.ASCIIMetadata, Hidden: desc.HiddenMetadata},
		hooks:          o.Hooks,
		bufferLimit:    o.Buffers,
		retry:          newRetrier(o.Retry, &desc),
		telemetry:      reports,
		public:         o.Public,
		publicBaseURL:  o.PublicBaseURL,
		signingBaseURL: o.SigningBaseURL,
		partSize:       o.PartSize,
		optionError:    cmp.Or(ownError(bad), layered),
	}
	if c.optionError == nil {
		c.optionError = c.checkPartSize("WithDefaultPartSize", c.partSize)
	}
	if o.HedgedReads && !desc.Local {
		c.hedger = &hedger{}
	}
	c.publicBaseURL = cmp.Or(c.publicBaseURL, desc.PublicBaseURL)
	if desc.NeedsSigningBase {
		c.serveAtBase()
	}
	if c.desc.FolderOrder {
		c.features |= storage.OrderedListing // by listing folder by folder
	}
	c.openVersions(o, serviced)
	return c
}

// layer wraps a driver in layers, the last outermost. If a layer is bad, it returns the driver with the
// layers before that.
func layer(d driver.Driver, layers []any) (driver.Driver, *storage.Error) {
	for _, of := range layers {
		wrap, ok := of.(driver.Layer)
		if !ok || wrap == nil {
			return d, invalid("Layers", "must be of type driver.Layer, and not nil")
		}
		wrapped := wrap(d)
		if wrapped == nil {
			return d, invalid("Layer", "must return a Driver")
		}
		d = wrapped
	}
	return d, nil
}

// idle returns Unsupported if an option asks the store to keep what it cannot keep.
func (c *core) idle(o *storage.OpenOptions) (e *storage.Error) {
	if o.ObjectLock && c.desc.EnableObjectLock == nil {
		e = c.need(storage.ObjectLock, "WithObjectLock")
	}
	if o.SoftDelete > 0 && c.desc.EnableSoftDelete == nil {
		e = cmp.Or(e, c.need(storage.SoftDelete, "WithSoftDelete"))
	}
	if o.Versions && c.desc.EnableVersions == nil {
		e = cmp.Or(e, c.need(storage.Versioning, "WithVersioning"))
	}
	return e
}

// openVersions makes the bucket keep versions and lock objects if the options ask for it and the store
// does not decide itself.
func (c *core) openVersions(o *storage.OpenOptions, serviced bool) {
	desc := &c.desc
	c.optionError = cmp.Or(c.optionError, c.idle(o))
	if o.ObjectLock && desc.EnableObjectLock != nil {
		desc.EnableObjectLock()
	}
	if o.SoftDelete > 0 && desc.EnableSoftDelete != nil {
		desc.EnableSoftDelete(o.SoftDelete)
	}
	switch {
	case o.Versions && desc.EnableVersions != nil:
		desc.EnableVersions()
	case !o.Versions && !desc.Versioned && !(serviced && desc.EnableVersions == nil):
		c.features &^= storage.Versioning
	}
}

// serveAtBase sets the addresses of a store whose objects, public ones too, are served at the
// signing base address.
func (c *core) serveAtBase() {
	if c.signingBaseURL == "" {
		c.features &^= storage.SignedURLs | storage.SignedContentType | storage.SignedSize | storage.SignedIfAbsent | storage.SignedForms | storage.SignedHead | storage.SignedTags | storage.SignedLocks | storage.SignedParts | storage.SignedPartChecksums
		return
	}
	c.publicBaseURL = cmp.Or(c.publicBaseURL, c.signingBaseURL)
}

// Close implements storage.Core.
func (b bucket) Close() error { return b.core.close() }

func (c *core) close() error {
	c.closed.Store(true)
	c.closing.Do(func() {
		if c.forget != nil {
			c.forget()
		}
		if err := c.driver.Close(); err != nil {
			e := ownError(err)
			e.Op, e.Provider, e.Bucket = "Close", c.desc.Provider, c.desc.Bucket
			c.closeErr = e
		}
	})
	return c.closeErr
}

// checkOpen returns an error if the bucket was closed.
func (c *core) checkOpen() *storage.Error {
	if c.closed.Load() {
		return &storage.Error{
			Code: storage.InvalidArgument, Err: errors.New("the bucket is closed"), Hint: "open it again",
		}
	}
	return nil
}

// tagged returns a revision with the provider's name, so that it is not mistaken for one of
// another store.
func (c *core) tagged(revision string) string {
	if revision == "" || c.desc.TaggedRevisions {
		return revision
	}
	return c.tag + revision
}

func (c *core) untagged(revision string) (string, *storage.Error) {
	bare, ours := strings.CutPrefix(revision, c.tag)
	if !ours || !isRevision(bare) {
		return "", invalid("revision", "must be one that "+c.desc.Provider+" gave")
	}
	if c.desc.TaggedRevisions {
		return revision, nil
	}
	return bare, nil
}

// isRevision reports whether bare may be the revision of a store. In a header, "*" means any object, a
// comma makes a list, and a blank or empty tag is not a condition.
func isRevision(bare string) bool {
	unsafe := func(r rune) bool { return r <= ' ' || r > '~' || r == '*' || r == ',' }
	return strings.Trim(bare, `"`) != "" && len(bare) <= 1024 && !strings.ContainsFunc(bare, unsafe)
}

// condition checks that the driver supports a condition, and removes the tag of its
// revision.
func (c *core) condition(cond *storage.Condition, update storage.Features) *storage.Error {
	switch {
	case *cond == storage.Condition{}:
	case cond.Absent && update != storage.ConditionalUpdate:
		return invalid("IfAbsent", "fits only writes")
	case cond.NotRevision != "" && update != 0:
		return invalid("IfRevisionNot", "fits only reads")
	case cond.Absent && cond.Revision != "":
		return invalid("condition", "must be IfAbsent or IfRevision, and not both")
	case cond.Revision != "" && cond.NotRevision != "":
		return invalid("condition", "must be IfRevision or IfRevisionNot, and not both")
	case cond.Absent:
		return c.need(storage.ConditionalCreate, "IfAbsent")
	case cond.Revision != "":
		if e := c.need(update, "IfRevision"); e != nil {
			return e
		}
		bare, e := c.untagged(cond.Revision)
		cond.Revision = bare
		return e
	case cond.NotRevision != "":
		bare, e := c.untagged(cond.NotRevision)
		cond.NotRevision = bare
		return e
	}
	return nil
}

// Supports implements storage.Core.
func (b bucket) Supports(features storage.Features) bool { return b.core.has(features) }

// has reports whether the features f are in force.
func (c *core) has(f storage.Features) bool { return c.features&f == f }

// need returns Unsupported if the driver does not declare f.
func (c *core) need(f storage.Features, what string) *storage.Error {
	if c.has(f) {
		return nil
	}
	hint := c.desc.FeatureHint
	if hint != "" {
		hint = c.driver.Describe().FeatureHint
	}
	if f == storage.Versioning && c.desc.Features&f != 0 { // the bucket was not opened with versions
		hint = "if the bucket keeps versions, open it with WithVersioning(true) or versions=true"
	}
	return unsupported(c.desc.Provider+" does not support "+what+" here", hint)
}

// checkReadKey implements rule K2: objects that other tools wrote can be read.
func (c *core) checkReadKey(key string) *storage.Error {
	if rule := keyrule.Any(key); rule != "" {
		return invalid("key", rule)
	}
	return c.checkLeadingSlash(key)
}

// checkLeadingSlash returns Unsupported for a key or prefix that begins with "/" if the store may
// take another object for it.
func (c *core) checkLeadingSlash(key string) *storage.Error {
	if !strings.HasPrefix(key, "/") {
		return nil
	}
	return c.need(storage.LeadingSlashes, `a key or prefix that begins with "/"`)
}

// needVersion returns Unsupported if WithVersion was given and the bucket keeps no versions.
func (c *core) needVersion(version string) *storage.Error {
	if version == "" {
		return nil
	}
	return c.need(storage.Versioning, "WithVersion")
}

// natives checks that the driver takes the options, and returns their values.
func (c *core) natives(given []storage.NativeValue) ([]any, *storage.Error) {
	if len(given) == 0 {
		return nil, nil
	}
	values := make([]any, len(given))
	for i, n := range given {
		if n.Provider != c.desc.Provider || c.desc.CheckNative == nil {
			return nil, unsupported("an option of "+n.Provider+" does not fit "+c.desc.Provider+" here", "")
		}
		if err := c.desc.CheckNative(n.Value); err != nil {
			return nil, ownError(err)
		}
		values[i] = n.Value
	}
	return values, nil
}

func newBuffer(o *operation) *buffer.Buffer { return buffer.New(o.core.bufferLimit, &o.overGrants) }
