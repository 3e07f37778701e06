package gcs

import (
	"encoding/json"
	"net/http"
	"net/textproto"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	gcs "cloud.google.com/go/storage"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/providers/internal/customerkey"
	"github.com/omnibucket/storage/providers/internal/httpheader"
)

// A nativeOption is the value that an option of this package passes to storage.WithNative. Its
// secrets are only inside the function apply, because fmt and loggers print a function as an
// address.
type nativeOption struct {
	name      string // name of the function that made the option
	err       error  // nil if the option is valid; otherwise each operation with the option fails with it
	identity  string // distinguishes options with the same name; has no secrets
	isChanger bool   // if true, Fingerprint calls the function apply and does not use identity
	apply     func(*callOptions)
}

// String returns the option's name.
func (o nativeOption) String() string { return o.name }

// Fingerprint returns a text that identifies the option and its value, which storage.WithResume
// stores to compare the options of a later call.
func (o nativeOption) Fingerprint() string {
	if !o.isChanger {
		return o.name + " " + o.identity
	}

	// A function cannot be compared, so compare the attributes that it sets.
	opts := &callOptions{}
	o.apply(opts)
	attrs := gcs.ObjectAttrs{Metadata: map[string]string{}}
	for _, change := range opts.changes {
		change(&attrs)
	}
	text, _ := json.Marshal(attrs) // never fails for texts, numbers and times
	return o.name + " " + fingerprint(text)
}

// checkNative checks the value of an option, as [driver.Description.CheckNative] requires.
func (a *account) checkNative(value any) error {
	switch option := value.(type) {
	case *customerkey.Key:
		if err := option.CheckSize(); err != nil {
			return err
		}
		return option.CheckAddress(a.endpoint)
	case nativeOption:
		return option.err
	}
	return &storage.Error{Code: storage.Unsupported, Hint: "give an option of package gcs"}
}

// callOptions are the options of this package for one operation.
type callOptions struct {
	key     *customerkey.Key
	changes []func(*gcs.ObjectAttrs)
	header  http.Header
	query   url.Values
}

// newCallOptions returns the options of one call from their values for this provider. checkNative
// must have accepted the values.
func newCallOptions(natives []any) *callOptions {
	opts := &callOptions{key: customerkey.In(natives)}
	for _, value := range natives {
		if option, ok := value.(nativeOption); ok {
			option.apply(opts)
		}
	}
	return opts
}

// changer returns an option that changes the attributes which a write stores.
func changer(name string, err error, change func(*gcs.ObjectAttrs)) storage.NativeOption {
	return storage.WithNative(provider, nativeOption{
		name:      name,
		err:       err,
		isChanger: true,
		apply:     func(opts *callOptions) { opts.changes = append(opts.changes, change) },
	})
}

// WithAttrs calls the function change with the attributes that Upload, Copy, Compose,
// SignedUploadURL or SignedUploadForm will store, in the form of Google's client. The attributes
// include what other options have set, and Metadata is not nil. Use WithAttrs for attributes that no
// other option sets, such as the ACL, the MD5, and metadata that [storage.WithMetadata] does not
// accept. Changes of Name, Bucket and fields that Google itself sets are ignored. The function may be
// called several times, and must do the same each time.
//
// If the function sets an attribute that a signed URL or form cannot carry, signing fails with
// Unsupported.
func WithAttrs(change func(*gcs.ObjectAttrs)) storage.WriteOption {
	if change == nil {
		return changer("WithAttrs", argument.Invalid("WithAttrs", "must have a function", ""), func(*gcs.ObjectAttrs) {})
	}
	return changer("WithAttrs", nil, change)
}

// kmsKeyName matches a key's name without a version.
var kmsKeyName = regexp.MustCompile(
	`^projects/[A-Za-z0-9.:_-]+/locations/[A-Za-z0-9_-]+/keyRings/[A-Za-z0-9_-]+/cryptoKeys/[A-Za-z0-9_-]+$`,
)

// checkKMSKey fails with InvalidArgument if key, the value of the named argument, is not the full
// name of a key.
func checkKMSKey(argumentName, key string) error {
	if kmsKeyName.MatchString(key) {
		return nil
	}
	return argument.Invalid(argumentName,
		"must be a key's name, as projects/P/locations/L/keyRings/R/cryptoKeys/K, without a version", "")
}

// WithKMSKey makes Google encrypt the object with a key of Cloud KMS. The key replaces
// [Config.KMSKey] and the bucket's default key. If name does not have the form
// projects/P/locations/L/keyRings/R/cryptoKeys/K, the operation fails with InvalidArgument. Reads
// need no option. [storage.Attrs].Encryption has the name of the key with the version that was
// used. A form cannot name a key: SignedUploadForm fails with Unsupported.
func WithKMSKey(name string) storage.WriteOption {
	return changer("WithKMSKey", checkKMSKey("WithKMSKey", name), func(a *gcs.ObjectAttrs) {
		a.KMSKeyName = name
	})
}

// WithCustomTime sets the object's custom time, which lifecycle rules can refer to. Google stores
// whole seconds, without the fraction. After the object was written, Google refuses to change the
// custom time to an earlier time. Forms have no custom time: SignedUploadForm fails with
// Unsupported. If the time is zero, or after the year 9999, the operation fails with
// InvalidArgument.
func WithCustomTime(t time.Time) storage.WriteOption {
	var err error
	if t.IsZero() || t.Year() > 9999 {
		err = argument.Invalid("WithCustomTime", "must be a time before the year 10000, and not zero", "")
	}
	return changer("WithCustomTime", err, func(a *gcs.ObjectAttrs) {
		a.CustomTime = t.UTC().Truncate(time.Second)
	})
}

// WithEventBasedHold prevents the object from being removed or overwritten until a client of
// Google's ends the hold. If the bucket has a retention policy, the retention time begins when the
// hold ends. If it has none, use [storage.WithLegalHold] instead. Together with
// [storage.WithRetention], the operation fails with InvalidArgument. Signed URLs and forms cannot
// carry the hold, and fail with Unsupported.
func WithEventBasedHold() storage.WriteOption {
	return changer("WithEventBasedHold", nil, func(a *gcs.ObjectAttrs) {
		a.EventBasedHold = true
	})
}

// predefinedACLs maps the names of Google's predefined access lists in the JSON API to their names
// in the XML API.
var predefinedACLs = map[string]string{
	"authenticatedRead":      "authenticated-read",
	"bucketOwnerFullControl": "bucket-owner-full-control",
	"bucketOwnerRead":        "bucket-owner-read",
	"private":                "private",
	"projectPrivate":         "project-private",
	"publicRead":             "public-read",
}

// WithPredefinedACL sets one of Google's access lists for the object: authenticatedRead,
// bucketOwnerFullControl, bucketOwnerRead, private, projectPrivate or publicRead. For any other
// name, the operation fails with InvalidArgument. Together with [storage.WithPublicRead], only
// publicRead is accepted. A bucket with uniform access has no access lists, so the operation fails
// with Unsupported.
func WithPredefinedACL(name string) storage.WriteOption {
	var err error
	if predefinedACLs[name] == "" {
		err = argument.Invalid(
			"WithPredefinedACL",
			"must be authenticatedRead, bucketOwnerFullControl, bucketOwnerRead, private, projectPrivate or publicRead",
			"",
		)
	}
	return changer("WithPredefinedACL", err, func(a *gcs.ObjectAttrs) {
		a.PredefinedACL = name
	})
}

// ownHeaders are the headers that the driver sets, and that WithHeader refuses.
var ownHeaders = []string{
	"Accept-Encoding",
	"Authorization",
	"Content-Length",
	"Content-Range",
	"Content-Type",
	"Host",
	"Range",
	"Transfer-Encoding",
	"X-Goog-Acl",
	"X-Goog-Content-Length-Range",
	"X-Goog-Copy-Source-Encryption-Key",
	"X-Goog-Encryption-Algorithm",
	"X-Goog-Encryption-Key",
	"X-Goog-Encryption-Key-Sha256",
	"X-Goog-Encryption-Kms-Key-Name",
	"X-Goog-Hash",
	"X-Goog-If-Generation-Match",
	"X-Goog-Object-Lock-Mode",
	"X-Goog-Object-Lock-Retain-Until-Date",
	"X-Goog-User-Project",
	"X-Upload-Content-Length",
	"X-Upload-Content-Type",
}

// WithHeader adds a header to every request of the operation, such as X-Goog-Custom-Audit-job. A
// signed URL requires it as a signed header. If a name is given several times, the last value
// counts. If this package itself sets the header (Authorization, Range, X-Goog-Encryption-Key,
// X-Goog-User-Project and the like), or if the value has control characters, the operation fails
// with InvalidArgument. Forms have no headers, and fail with Unsupported. Neither errors nor logs
// show the value.
func WithHeader(name, value string) storage.NativeOption {
	return storage.WithNative(provider, nativeOption{
		name:     "WithHeader",
		err:      checkHeader(name, value),
		identity: name + " " + fingerprint([]byte(value)),
		apply: func(opts *callOptions) {
			if opts.header == nil {
				opts.header = http.Header{}
			}
			opts.header.Set(name, value)
		},
	})
}

// checkHeader fails with InvalidArgument for a header that WithHeader may not set.
func checkHeader(name, value string) error {
	if !httpheader.IsName(name) || slices.Contains(ownHeaders, textproto.CanonicalMIMEHeaderKey(name)) {
		return argument.Invalid("WithHeader", "must name a header that this package does not set itself", "")
	}
	if !httpheader.IsPrintable(value) {
		return argument.Invalid("WithHeader", "must have a value of printable ASCII", "")
	}
	return nil
}

// ownParameters are the query parameters that the driver sets, and that WithParameter refuses.
var ownParameters = []string{
	"alt",
	"destinationKmsKeyName",
	"destinationPredefinedAcl",
	"fields",
	"generation",
	"ifGenerationMatch",
	"ifGenerationNotMatch",
	"kmsKeyName",
	"name",
	"overrideUnlockedRetention",
	"pageToken",
	"predefinedAcl",
	"rewriteToken",
	"sourceGeneration",
	"uploadType",
	"upload_id",
	"userProject",
}

// WithParameter adds a query parameter to every request of the operation, such as
// ifMetagenerationMatch. In a signed URL, the parameter is signed. A parameter that this package
// sets itself (generation, ifGenerationMatch, kmsKeyName, userProject and the like) makes the
// operation fail with InvalidArgument. Forms have no parameters, and fail with Unsupported.
func WithParameter(name, value string) storage.NativeOption {
	return storage.WithNative(provider, nativeOption{
		name:     "WithParameter",
		err:      checkParameter(name),
		identity: name + " " + fingerprint([]byte(value)),
		apply: func(opts *callOptions) {
			if opts.query == nil {
				opts.query = url.Values{}
			}
			opts.query.Add(name, value)
		},
	})
}

// checkParameter fails with InvalidArgument for a query parameter that WithParameter may not set.
func checkParameter(name string) error {
	// The parameters of a signature begin with x-goog-.
	isOfSignature := strings.HasPrefix(strings.ToLower(name), "x-goog-")
	if !httpheader.IsName(name) || slices.Contains(ownParameters, name) || isOfSignature {
		return argument.Invalid("WithParameter", "must name a parameter that this package does not set itself", "")
	}
	return nil
}
