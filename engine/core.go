// Package engine makes a [storage.Bucket] from a [driver.Driver], and a [storage.Service] from a
// [driver.ServiceDriver]. It has everything that is the same for all stores: checks, content types,
// parallel parts, resuming, checksums, retries, reconciling a lost response, error context and
// telemetry.
//
// Programs open a bucket with [storage.Open], or with the function of a provider. This package is
// for authors of drivers and for programs that have a driver of their own.
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
	"github.com/omnibucket/storage/internal/core/buffer"
	"github.com/omnibucket/storage/internal/core/seam"
	"github.com/omnibucket/storage/internal/metadata"
	"github.com/omnibucket/storage/internal/objectkey"
	"github.com/omnibucket/storage/internal/running"
)

// A bucket implements storage.Core. Each method is one call of the API. The methods share an engine.
type bucket struct{ engine *engine }

// An engine has the driver and the settings of one opened bucket.
type engine struct {
	driver         driver.Driver
	desc           driver.Description
	tag            string // the prefix of revisions as the user sees them, such as "s3:"
	metadata       metadata.Coding
	features       storage.Features // the driver's features that the options of this bucket permit
	hooks          []storage.Hook
	bufferLimit    *buffer.Limit
	retry          *retrier
	hedger         *hedger        // nil if reads are not hedged
	downloads      running.Memory // how many sections the last large download read at the same time
	telemetry      *telemetry.Reporter
	public         bool
	publicBaseURL  string
	signingBaseURL string
	partSize       int64          // bytes of a part if WithPartSize is not given; 0 if the driver decides
	optionError    *storage.Error // an invalid option makes every operation fail with this error; otherwise nil

	closed   atomic.Bool
	closing  sync.Once
	closeErr error
	forget   func() // removes the bucket from the list of its service; nil if no service has opened it
}

// New makes a [storage.Bucket] from a [driver.Driver]. The buckets of all providers are made by
// New.
func New(d driver.Driver, opts ...storage.OpenOption) storage.Bucket {
	const hasVersions = false // only a Service may know that the bucket keeps versions
	return storage.NewBucket(bucket{newEngine(d, opts, hasVersions)})
}

// newEngine returns the engine of a bucket. An invalid option is reported by each operation, and not
// here. hasVersions is true if a Service opens the bucket and knows that it keeps versions.
func newEngine(d driver.Driver, opts []storage.OpenOption, hasVersions bool) *engine {
	o := &storage.OpenOptions{}
	optionErr := o.Apply(opts...)

	// The layers come first, because they may change what the driver describes.
	d, layerErr := wrapLayers(d, o.Layers)
	desc := d.Describe()
	reports := reporter(o, &desc)
	if o.AttemptSpans {
		d = withTelemetry(reports, d)
	}

	e := &engine{
		driver:         d,
		desc:           desc,
		tag:            desc.Provider + ":",
		features:       desc.Features,
		metadata:       metadata.Coding{ASCII: desc.ASCIIMetadata, Hidden: desc.HiddenMetadata},
		hooks:          o.Hooks,
		bufferLimit:    seam.LimitOf(o.Buffers),
		retry:          newRetrier(o.Retry, &desc),
		telemetry:      reports,
		public:         o.Public,
		publicBaseURL:  o.PublicBaseURL,
		signingBaseURL: o.SigningBaseURL,
		partSize:       o.PartSize,
		optionError:    cmp.Or(ownError(optionErr), layerErr),
	}
	if e.optionError == nil {
		e.optionError = e.checkPartSize("WithDefaultPartSize", e.partSize)
	}

	// A hedge is a second request for a read whose response is late. A local store needs none.
	if o.HedgedReads && !desc.Local {
		e.hedger = &hedger{}
	}
	e.publicBaseURL = cmp.Or(e.publicBaseURL, desc.PublicBaseURL)

	// The options and the engine itself may change what the driver supports.
	if desc.NeedsSigningBase {
		e.serveAtBase()
	}
	if desc.FolderOrder {
		// The store lists each folder in the order of names, which list_walk.go turns into that of keys.
		e.features |= storage.OrderedListing
	}
	e.openVersions(o, hasVersions)
	return e
}

// wrapLayers wraps d in the layers, of which the last becomes the outermost. If a layer is invalid,
// it returns an error and the driver with the layers before that one.
func wrapLayers(d driver.Driver, layers []any) (driver.Driver, *storage.Error) {
	for _, layer := range layers {
		wrap, ok := layer.(driver.Layer)
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

// checkOptions returns Unsupported if an option asks for versions, locks or soft delete that the store
// cannot provide.
func (e *engine) checkOptions(o *storage.OpenOptions) *storage.Error {
	// A driver with an Enable function can turn the feature on. A cloud has no such function, and must
	// have the feature itself.
	if o.ObjectLock && e.desc.EnableObjectLock == nil {
		if err := e.need(storage.ObjectLock, "WithObjectLock"); err != nil {
			return err
		}
	}
	if o.SoftDelete > 0 && e.desc.EnableSoftDelete == nil {
		if err := e.need(storage.SoftDelete, "WithSoftDelete"); err != nil {
			return err
		}
	}
	if o.Versions && e.desc.EnableVersions == nil {
		return e.need(storage.Versioning, "WithVersioning")
	}
	return nil
}

// openVersions turns on versions, locks and soft delete as the options ask, if the store is in this
// process. For a cloud bucket, which has its own settings, it only checks that they are supported.
// hasVersions is true if a Service knows that the bucket has versions.
func (e *engine) openVersions(o *storage.OpenOptions, hasVersions bool) {
	e.optionError = cmp.Or(e.optionError, e.checkOptions(o))

	// The driver of a store in this process has a function for each of these settings.
	desc := &e.desc
	if o.ObjectLock && desc.EnableObjectLock != nil {
		desc.EnableObjectLock()
	}
	if o.SoftDelete > 0 && desc.EnableSoftDelete != nil {
		desc.EnableSoftDelete(o.SoftDelete)
	}
	if o.Versions && desc.EnableVersions != nil {
		desc.EnableVersions()
	}

	// Without the option, the bucket has versions only if it is known to keep them. A store that can
	// keep them may have that setting off, so Supports must not report the feature.
	isCloud := desc.EnableVersions == nil
	knownToKeep := desc.Versioned || (isCloud && hasVersions)
	if !o.Versions && !knownToKeep {
		e.features &^= storage.Versioning
	}
}

// serveAtBase makes the signing base URL the public address of a store that has none of its own.
// Without that URL, nothing could serve signed URLs, so the bucket loses the features of signing.
func (e *engine) serveAtBase() {
	if e.signingBaseURL == "" {
		e.features &^= signing
		return
	}
	e.publicBaseURL = cmp.Or(e.publicBaseURL, e.signingBaseURL)
}

// Close implements storage.Core.
func (b bucket) Close() error { return b.engine.close() }

// close closes the driver once, and returns the same error from every call.
func (e *engine) close() error {
	e.closed.Store(true)
	e.closing.Do(func() {
		// A service has a list of its open buckets. Remove this one from it.
		if e.forget != nil {
			e.forget()
		}
		if err := e.driver.Close(); err != nil {
			failure := ownError(err)
			failure.Op = "Close"
			failure.Provider = e.desc.Provider
			failure.Bucket = e.desc.Bucket
			e.closeErr = failure
		}
	})
	return e.closeErr
}

// checkOpen returns InvalidArgument if the bucket was closed.
func (e *engine) checkOpen() *storage.Error {
	if e.closed.Load() {
		return &storage.Error{
			Code: storage.InvalidArgument,
			Err:  errors.New("the bucket is closed"),
			Hint: "open it again",
		}
	}
	return nil
}

// taggedRevision puts the provider's name before a revision of the driver, so that no other store
// accepts it.
func (e *engine) taggedRevision(revision string) string {
	if revision == "" || e.desc.TaggedRevisions {
		return revision
	}
	return e.tag + revision
}

// bareRevision returns a revision of the user as the driver knows it, usually without its tag, such as
// "s3:". It returns InvalidArgument if the revision cannot be one of this store.
func (e *engine) bareRevision(revision string) (string, *storage.Error) {
	bare, isOurs := strings.CutPrefix(revision, e.tag)
	if !isOurs || !isRevision(bare) {
		return "", invalid("revision", "must be one that "+e.desc.Provider+" gave")
	}
	if e.desc.TaggedRevisions {
		return revision, nil
	}
	return bare, nil
}

// maxRevisionBytes is the length of the longest revision that is believed to be one of a store.
const maxRevisionBytes = 1024

// isRevision reports whether bare can be a revision, and is safe in a header such as If-Match. There
// "*" would match any object, a comma would separate revisions, and "" would set no condition.
func isRevision(bare string) bool {
	if strings.Trim(bare, `"`) == "" || len(bare) > maxRevisionBytes {
		return false
	}
	for _, char := range bare {
		if char <= ' ' || char > '~' || char == '*' || char == ',' {
			return false
		}
	}
	return true
}

// checkCondition checks that the driver supports cond, and turns its revision into the driver's form,
// without the provider's prefix. feature is the one that IfRevision needs, which depends on the kind of
// call: ConditionalUpdate for a write, ConditionalRemove for a removal, and 0 for a read.
func (e *engine) checkCondition(cond *storage.Condition, feature storage.Features) *storage.Error {
	if *cond == (storage.Condition{}) {
		return nil
	}

	// Refuse conditions that do not fit the call or one another.
	isRead := feature == 0
	isWrite := feature == storage.ConditionalUpdate
	switch {
	case cond.Absent && !isWrite:
		return invalid("IfAbsent", "fits only writes")
	case cond.NotRevision != "" && !isRead:
		return invalid("IfRevisionNot", "fits only reads")
	case cond.Absent && cond.Revision != "":
		return invalid("condition", "must be IfAbsent or IfRevision, and not both")
	case cond.Revision != "" && cond.NotRevision != "":
		return invalid("condition", "must be IfRevision or IfRevisionNot, and not both")
	}

	// Exactly one field is set.
	if cond.Absent {
		return e.need(storage.ConditionalCreate, "IfAbsent")
	}
	if cond.NotRevision != "" {
		// A read with a condition needs no feature.
		bare, err := e.bareRevision(cond.NotRevision)
		cond.NotRevision = bare
		return err
	}
	if err := e.need(feature, "IfRevision"); err != nil {
		return err
	}
	bare, err := e.bareRevision(cond.Revision)
	cond.Revision = bare
	return err
}

// Supports implements storage.Core.
func (b bucket) Supports(features storage.Features) bool { return b.engine.has(features) }

// has reports whether the bucket has all features f.
func (e *engine) has(f storage.Features) bool { return e.features&f == f }

// need returns Unsupported if the bucket does not have the features f that the call or option of this
// name needs.
func (e *engine) need(f storage.Features, name string) *storage.Error {
	if e.has(f) {
		return nil
	}
	return unsupported(e.desc.Provider+" does not support "+name+" here", e.featureHint(f))
}

// featureHint returns what to do about the missing features f, or "".
func (e *engine) featureHint(f storage.Features) string {
	storeHasVersions := e.desc.Features&storage.Versioning != 0
	if f == storage.Versioning && storeHasVersions {
		// The store keeps versions, but the bucket was not opened with WithVersioning.
		return "if the bucket keeps versions, open it with WithVersioning(true) or versions=true"
	}
	if e.desc.FeatureHint == "" {
		return ""
	}
	// The hint may have changed since the bucket was opened, because some drivers learn from responses
	// what their server is.
	return e.driver.Describe().FeatureHint
}

// checkReadKey checks the key of an object to read or remove, which another tool may have written
// (rule K2).
func (e *engine) checkReadKey(key string) *storage.Error {
	if rule := objectkey.Rule(key); rule != "" {
		return invalid("key", rule)
	}
	return e.checkLeadingSlash(key)
}

// checkLeadingSlash returns Unsupported for a key or prefix that begins with "/", unless the store
// has that feature.
func (e *engine) checkLeadingSlash(key string) *storage.Error {
	if !strings.HasPrefix(key, "/") {
		return nil
	}
	return e.need(storage.LeadingSlashes, `a key or prefix that begins with "/"`)
}

// needVersion returns Unsupported if WithVersion was given and the bucket does not keep versions.
func (e *engine) needVersion(version string) *storage.Error {
	if version == "" {
		return nil
	}
	return e.need(storage.Versioning, "WithVersion")
}

// nativeValues returns the values of options that exist for one provider only, or an error if one of
// them does not fit the driver.
func (e *engine) nativeValues(natives []storage.NativeValue) ([]any, *storage.Error) {
	if len(natives) == 0 {
		return nil, nil
	}
	values := make([]any, len(natives))
	for i, native := range natives {
		if native.Provider != e.desc.Provider || e.desc.CheckNative == nil {
			return nil, unsupported("an option of "+native.Provider+" does not fit "+e.desc.Provider+" here", "")
		}
		if err := e.desc.CheckNative(native.Value); err != nil {
			return nil, ownError(err)
		}
		values[i] = native.Value
	}
	return values, nil
}

func newBuffer(o *operation) *buffer.Buffer { return buffer.New(o.engine.bufferLimit, &o.overGrants) }
