package storage

import (
	"errors"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
)

// core is what all views of one opened bucket share.
type core struct {
	driver         Driver
	desc           Description
	tag            string   // of revisions
	features       Features // in force as the bucket was opened
	hooks          []Hook
	memory         *Memory
	retry          *retrier
	telemetry      *telemetry
	public         bool
	publicBaseURL  string
	signingBaseURL string
	bad            *Error // of an option: what every operation answers

	closed   atomic.Bool
	closing  sync.Once
	closeErr error
}

// New makes a Bucket of a Driver; it is the only implementation of Bucket that
// providers hand out. All that is the same for every provider is done here,
// once: checks, content type, parts in parallel, resuming, checksums,
// reconciling a lost answer, error context, telemetry.
func New(d Driver, opts ...OpenOption) Bucket { return newBucket(d, opts) }

func newBucket(d Driver, opts []OpenOption) *bucket {
	return newBucketWith(d, readOpenOptions(opts))
}

func newBucketWith(d Driver, o *openOptions) *bucket {
	for _, layer := range o.layers {
		d = layer(d)
	}
	desc := d.Describe()
	c := &core{
		driver:         d,
		desc:           desc,
		tag:            desc.Provider + ":",
		features:       desc.Features,
		hooks:          o.hooks,
		memory:         o.memory,
		retry:          newRetrier(o.retry, &desc),
		telemetry:      newTelemetry(o, desc),
		public:         o.public,
		publicBaseURL:  o.publicBaseURL,
		signingBaseURL: o.signingBaseURL,
		bad:            o.bad,
	}
	if desc.FolderOrder {
		c.features |= OrderedList // by listing folder by folder
	}
	if c.bad == nil && !c.has(OrderedList) {
		c.bad = unsupported("this store lists in no order", "use a bucket that lists keys in byte order: no S3 directory bucket, no Azure account with a hierarchical namespace")
	}
	if c.publicBaseURL == "" {
		c.publicBaseURL = desc.PublicBaseURL
	}
	if desc.SigningBase {
		c.serveAtBase()
	}
	switch {
	case o.versions && desc.StartVersions != nil:
		desc.StartVersions()
	case !o.versions && !desc.Versioned && !(o.told && desc.StartVersions == nil):
		c.features &^= KeepVersions
	}
	return &bucket{core: c, mask: everything}
}

// serveAtBase is for a store whose objects are served at the signing base
// address, public ones too.
func (c *core) serveAtBase() {
	if c.signingBaseURL == "" {
		c.features &^= SignURLs | SignContentType | SignSize | SignIfAbsent | SignForms | SignHead
		return
	}
	if c.publicBaseURL == "" {
		c.publicBaseURL = c.signingBaseURL
	}
}

// bucket is the one concrete Bucket: a view of a core, through a prefix and a
// mask of permitted methods.
type bucket struct {
	core   *core
	prefix string
	mask   permission
	bad    *Error // of the prefix: what every operation answers
}

// A permission is one bit for each method of Bucket.
type permission uint16

const (
	mayUpload permission = 1 << iota
	mayDownload
	mayList
	mayAttrs
	mayExists
	mayRemove
	maySignUpload
	maySignDownload
	mayPublicURL

	everything permission = 1<<iota - 1
)

var methodPermissions = map[string]permission{
	"Upload":            mayUpload,
	"Download":          mayDownload,
	"List":              mayList,
	"Attrs":             mayAttrs,
	"Exists":            mayExists,
	"Remove":            mayRemove,
	"SignedUploadURL":   maySignUpload,
	"SignedDownloadURL": maySignDownload,
	"PublicURL":         mayPublicURL,
}

// Ref narrows b to the methods of P, an interface of methods that Bucket has;
// any other P panics. The result cannot be widened: what else it may be found
// to have by a type assertion answers PermissionDenied and reaches nothing,
// also through Ref, Prefixed, As and every function of this package.
//
//	ref := storage.Ref[storage.Downloader](bucket)
//	ref := storage.Ref[interface{ storage.Uploader; storage.Lister }](bucket)
func Ref[P any](b Bucket) P {
	narrowed := narrow(b, maskOf(reflect.TypeFor[P]()))
	return narrowed.(P)
}

func maskOf(p reflect.Type) permission {
	if p.Kind() != reflect.Interface || p.NumMethod() == 0 {
		panic("storage: Ref: " + p.String() + " is not an interface of Bucket's methods")
	}
	whole := reflect.TypeFor[Bucket]()
	var mask permission
	for i := range p.NumMethod() {
		method := p.Method(i)
		own, found := whole.MethodByName(method.Name)
		if !found || own.Type != method.Type {
			panic("storage: Ref: " + p.String() + " has the method " + method.Name + ", which Bucket has not")
		}
		mask |= methodPermissions[method.Name]
	}
	return mask
}

func narrow(b Bucket, mask permission) Bucket {
	switch b := b.(type) {
	case *bucket:
		narrowed := *b
		narrowed.mask &= mask
		return &narrowed
	case *view:
		narrowed := *b
		narrowed.mask &= mask
		return &narrowed
	}
	return &view{to: b, mask: mask}
}

// Prefixed is b seen from under prefix: keys gain it on the way in and lose it
// on the way out, in Attrs, entries and Error.Key; nothing outside it can be
// reached, listed, signed or removed. A prefix is whole segments and ends in
// "/" ("users/1" would reach users/10); with any other, every operation is
// InvalidArgument. Hooks see whole keys. As finds nothing behind it.
func Prefixed(b Bucket, prefix string) Bucket {
	bad := checkPrefix(prefix)
	switch b := b.(type) {
	case *bucket:
		inner := *b
		inner.prefix += prefix
		if inner.bad == nil {
			inner.bad = bad
		}
		return &inner
	case *view:
		inner := *b
		inner.prefix += prefix
		if inner.bad == nil {
			inner.bad = bad
		}
		return &inner
	}
	return &view{to: b, mask: everything, prefix: prefix, bad: bad}
}

// As returns the provider's own client behind b, for what this package does
// not cover: client, ok := storage.As[*s3.Client](bucket). Never through Ref
// or Prefixed. Each driver has one type: *s3.Client of aws-sdk-go-v2's service/s3
// for S3, *storage.Client of cloud.google.com/go/storage for Google,
// *container.Client of azblob for Azure (also if a *service.Client was given),
// *os.Root for a local directory. Memory has none. With another T, As returns
// false.
func As[T any](b Bucket) (T, bool) {
	if own, ok := b.(*bucket); ok && own.mask == everything && own.prefix == "" && own.bad == nil {
		native, ok := own.core.driver.Native().(T)
		return native, ok
	}
	var none T
	return none, false
}

// Supports reports whether b declares every one of features. b is a Bucket or
// what Ref made of one; of any other type nothing is known: false.
func Supports(b any, features Features) bool {
	own, ok := b.(*bucket)
	return ok && own.core.features&features == features
}

// Close releases what opening b took: connections, a local directory's handle.
// After it every operation on b, and on what Ref and Prefixed made of b, fails with
// InvalidArgument; whether those under way fail depends on the provider. Close of
// what Ref or Prefixed returned does nothing.
func Close(b Bucket) error {
	switch b := b.(type) {
	case *bucket:
		if b.mask != everything || b.prefix != "" || b.bad != nil {
			return nil
		}
		return b.core.close()
	case *view:
		return nil
	case interface{ Close() error }:
		return b.Close()
	}
	return nil
}

func (c *core) close() error {
	c.closed.Store(true)
	c.closing.Do(func() {
		if err := c.driver.Close(); err != nil {
			e := ownError(err)
			e.Op, e.Provider, e.Bucket = "Close", c.desc.Provider, c.desc.Bucket
			c.closeErr = e
		}
	})
	return c.closeErr
}

// checkOpen returns an error if the bucket was closed.
func (c *core) checkOpen() *Error {
	if c.closed.Load() {
		return &Error{Code: InvalidArgument, Err: errors.New("the bucket is closed"), Hint: "open it again"}
	}
	return nil
}

// has reports whether f is in force.
func (c *core) has(f Features) bool { return c.features&f == f }

// need refuses what the driver does not declare.
func (c *core) need(f Features, what string) *Error {
	if c.has(f) {
		return nil
	}
	hint := c.desc.FeatureHint
	if f == KeepVersions && (hint == "" || c.desc.Features&f != 0) {
		hint = "open the bucket with WithVersions or versions=true where it keeps them"
	}
	return unsupported(what+" is not something that "+c.desc.Provider+" does here", hint)
}

// Revisions carry the provider's name, so that another provider's is not
// mistaken for one of this store.
func (c *core) tagged(revision string) string {
	if revision == "" || c.desc.TaggedRevisions {
		return revision
	}
	return c.tag + revision
}

func (c *core) untagged(revision string) (string, *Error) {
	own, ours := strings.CutPrefix(revision, c.tag)
	if !ours || own == "" {
		return "", invalid("revision", "must be one that "+c.desc.Provider+" gave")
	}
	if c.desc.TaggedRevisions {
		return revision, nil
	}
	return own, nil
}

// condition checks that the driver keeps a write's or read's condition, and
// takes the tags off.
func (c *core) condition(cond *Condition, update Features) *Error {
	switch {
	case cond.Absent:
		return c.need(ConditionalCreate, "IfAbsent")
	case cond.Revision != "":
		if e := c.need(update, "IfRevision"); e != nil {
			return e
		}
		own, e := c.untagged(cond.Revision)
		cond.Revision = own
		return e
	case cond.NotRevision != "":
		own, e := c.untagged(cond.NotRevision)
		cond.NotRevision = own
		return e
	}
	return nil
}

// natives checks that provider options are this provider's, and unwraps them.
func (c *core) natives(given []native) ([]any, *Error) {
	if len(given) == 0 {
		return nil, nil
	}
	values := make([]any, len(given))
	for i, n := range given {
		if n.provider != c.desc.Provider {
			return nil, unsupported("an option of "+n.provider+" does not fit "+c.desc.Provider, "")
		}
		values[i] = n.value
	}
	return values, nil
}
