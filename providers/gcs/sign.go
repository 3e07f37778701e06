package gcs

import (
	"cmp"
	"context"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	gcs "cloud.google.com/go/storage"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/crc32c"
	"github.com/omnibucket/storage/internal/escape"
	"github.com/omnibucket/storage/providers/internal/sigv4"
)

// signFeatures returns the signing features of an account, or 0 if the account cannot sign. Google
// enforces everything that is signed, so an account that can sign has all of them, with two
// exceptions:
//
//   - No account has SignedTags, because a signed request cannot set tags.
//   - An account does not have StableURLs if it is known to have no key of its own.
//
// SignedLocks does not include a legal hold, which Sign refuses.
func signFeatures(a *account) storage.Features {
	if a.signerFinder == nil {
		return 0
	}
	features := storage.SignedURLs | storage.SignedContentType | storage.SignedSize | storage.SignedIfAbsent |
		storage.SignedForms | storage.SignedHead | storage.SignedLocks | storage.SignedParts |
		storage.SignedPartChecksums | storage.SignedRemovals | storage.StableURLs
	if s := a.signerFinder.cached.Load(); s != nil && !hasKey(*s) {
		features &^= storage.StableURLs
	}
	return features
}

// hasKey reports whether a signer has a key of its own. Such a signer makes equal signatures for
// equal requests. Google's IAM does not: it signs with several keys, and replaces them.
// https://cloud.google.com/iam/docs/service-account-creds#google-managed-keys
func hasKey(s signer) bool {
	_, ok := s.(*keySigner)
	return ok
}

type urlSigner struct{ bucket *bucket }

// Sign signs with the service account's key, without a request. If there is no key, it requests the
// signature from IAM. All properties are in signed headers or in signed parameters, so that nobody
// can change them. The URL remains valid after the token for IAM has expired.
func (d *objectDriver) Sign(ctx context.Context, r *driver.SignRequest) (*storage.SignedURL, error) {
	return d.urls.sign(ctx, r, time.Now())
}

// sign returns a URL that permits the one request of r, and is valid from now. If r asks for a
// stable URL, r.Term rounds the time, so that equal calls return the same URL.
func (us *urlSigner) sign(ctx context.Context, r *driver.SignRequest, now time.Time) (*storage.SignedURL, error) {
	address, err := us.bucketURL(r.BaseURL)
	if err != nil {
		return nil, err
	}

	opts := newCallOptions(r.Native)
	if err := opts.key.CheckAddress(address); err != nil {
		return nil, err
	}

	request := &v4Request{
		method:  r.Method,
		address: objectURL(address, r.Key),
		header:  http.Header{},
		query:   url.Values{},
	}
	switch r.Method {
	case http.MethodPut:
		header, err := us.signedHeaders(r, opts)
		if err != nil {
			return nil, err
		}
		request.header = header
	case http.MethodGet, http.MethodHead:
		request.query = readQuery(r)
	case http.MethodDelete:
		if r.Version != "" {
			request.query.Set("generation", r.Version)
		}
	default:
		return nil, storage.Unsupported
	}

	// Only the account's own key gives equal requests the same signature.
	if r.StableFor > 0 {
		if err := us.needOwnKey(ctx); err != nil {
			return nil, err
		}
	}
	start, ttl := r.Term(now)
	return us.signRequest(ctx, request, opts, ttl, start)
}

// needOwnKey fails with Unsupported if the account has no key of its own to sign stable URLs. Google's IAM
// would then sign with keys that change, and give equal requests different signatures.
func (us *urlSigner) needOwnKey(ctx context.Context) error {
	signer, err := us.bucket.account.signerFinder.get(ctx)
	if err != nil {
		return err
	}
	if !hasKey(signer) {
		return &storage.Error{
			Code: storage.Unsupported,
			Hint: "Google's IAM signs with keys that change: " +
				"sign with the key of a service account (Config.SigningKey), " +
				"or redirect to a signed URL from an address of your own",
		}
	}
	return nil
}

// signRequest signs a request with the options of a call, for at least ttl from now; see newV4Signer.
func (us *urlSigner) signRequest(
	ctx context.Context, request *v4Request, opts *callOptions, ttl time.Duration, now time.Time,
) (*storage.SignedURL, error) {
	maps.Copy(request.header, opts.header)
	maps.Copy(request.query, opts.query)
	opts.key.SetHeaders(request.header, "X-Goog-")
	if us.bucket.account.userProject != "" {
		request.query.Set("userProject", us.bucket.account.userProject)
	}

	signer, err := us.newV4Signer(ctx, ttl, now)
	if err != nil {
		return nil, err
	}
	address, err := signer.signURL(ctx, request)
	if err != nil {
		return nil, err
	}
	return &storage.SignedURL{URL: address, Method: request.method, Header: request.header, ExpiresAt: signer.Until()}, nil
}

// newV4Signer returns a signer whose signatures are valid from now for at least ttl, unless the signer's
// key expires earlier.
func (us *urlSigner) newV4Signer(ctx context.Context, ttl time.Duration, now time.Time) (*v4Signer, error) {
	signer, err := us.bucket.account.signerFinder.get(ctx)
	if err != nil {
		return nil, err
	}
	return &v4Signer{sigv4.NewTerm(now, ttl, signer.maxTerm()), signer}, nil
}

// bucketURL returns the bucket's URL for signed requests, without a slash at its end. It begins with
// base or, if base is "", with the server's URL. bucketURL appends the bucket's name to the path,
// unless the host of base already names the bucket. Such a host is a virtual host or a domain with
// the bucket's name.
func (us *urlSigner) bucketURL(base string) (*url.URL, error) {
	u, err := url.Parse(cmp.Or(base, us.bucket.account.root()))
	if err != nil {
		// The engine has already checked the URL.
		return nil, storage.InvalidArgument
	}
	rawPath := strings.TrimSuffix(u.EscapedPath(), "/")
	u.Path = strings.TrimSuffix(u.Path, "/")

	// The server's own host never names the bucket.
	if base == "" || !namesBucketInHost(u.Hostname(), us.bucket.name) {
		u.Path += "/" + us.bucket.name
		rawPath += "/" + escape.Path(us.bucket.name)
	}
	u.RawPath = rawPath
	return u, nil
}

// namesBucketInHost reports whether a host is a domain with the bucket's name, or a virtual host of
// the bucket.
func namesBucketInHost(host, bucket string) bool {
	if net.ParseIP(host) != nil || !strings.Contains(host, ".") {
		return false
	}
	return host == bucket || strings.HasPrefix(host, bucket+".")
}

// objectURL returns the URL of a key as the signature covers it, with every byte escaped except
// unreserved ones and "/".
func objectURL(bucket *url.URL, key string) *url.URL {
	u := *bucket
	u.RawPath = bucket.EscapedPath() + "/" + escape.Path(key)
	u.Path = bucket.Path + "/" + key
	return &u
}

// signedHeaders returns the headers that the uploader must send, which set the properties and the
// limits of the object.
func (us *urlSigner) signedHeaders(r *driver.SignRequest, opts *callOptions) (http.Header, error) {
	attrs, err := us.bucket.account.attrsToSet(r.Key, &r.Properties, &r.Controls, opts)
	if err != nil {
		return nil, err
	}
	if err := checkSigned(attrs); err != nil {
		return nil, err
	}

	header := sigv4.Headers(&driver.SignRequest{Properties: propertiesOf(attrs)}, "X-Goog-")
	setLockHeaders(header, attrs.Retention)

	if attrs.PredefinedACL != "" {
		header.Set("X-Goog-Acl", predefinedACLs[attrs.PredefinedACL])
	}
	if attrs.KMSKeyName != "" {
		header.Set("X-Goog-Encryption-Kms-Key-Name", attrs.KMSKeyName)
	}
	if !attrs.CustomTime.IsZero() {
		header.Set("X-Goog-Custom-Time", attrs.CustomTime.UTC().Format(time.RFC3339))
	}

	// A browser can send only the headers that are ASCII.
	for name, values := range header {
		if !isASCII(values[0]) {
			return nil, &storage.Error{
				Code: storage.Unsupported,
				Hint: "a browser sends only ASCII headers, and " + name + " is not ASCII: use Upload or SignedUploadForm",
			}
		}
	}

	if r.Condition.Absent {
		header.Set("X-Goog-If-Generation-Match", "0")
	}
	setBodyHeaders(header, max(r.MinSize, 0), r.MaxSize, r.CRC32C)
	return header, nil
}

// setBodyHeaders sets headers that make the server refuse a body of another length, unless maxSize
// is -1, or with another CRC32C.
func setBodyHeaders(header http.Header, minSize, maxSize int64, crc storage.CRC32C) {
	if maxSize >= 0 {
		header.Set("X-Goog-Content-Length-Range", strconv.FormatInt(minSize, 10)+","+strconv.FormatInt(maxSize, 10))
	}
	if crc.Known {
		header.Set("X-Goog-Hash", "crc32c="+crc32c.Encode(crc.Sum))
	}
}

// checkSigned fails with Unsupported if Google's XML API cannot set one of the attributes that a
// signed request is to set.
func checkSigned(a *gcs.ObjectAttrs) error {
	field := ""
	isUnknownACL := a.PredefinedACL != "" && predefinedACLs[a.PredefinedACL] == ""
	switch {
	case a.Contexts != nil:
		field = "tags"
	case a.TemporaryHold || a.EventBasedHold:
		field = "a hold"
	case len(a.ACL) > 0 || isUnknownACL:
		field = "an access list that is not predefined"
	case len(a.MD5) > 0:
		field = "an MD5"
	default:
		return nil
	}
	return &storage.Error{
		Code: storage.Unsupported,
		Hint: "Google's XML API, which signed requests use, cannot set " + field + ": use Upload, or set it after the upload",
	}
}

func isASCII(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return r > 0x7e }) < 0
}

// readQuery returns the query of a signed read, with the version and the headers that the response
// must have.
func readQuery(r *driver.SignRequest) url.Values {
	query := url.Values{
		"generation":                   {r.Version},
		"response-content-type":        {r.ResponseType},
		"response-content-disposition": {r.ResponseDisposition()},
	}

	// An empty value means that r does not set the parameter.
	maps.DeleteFunc(query, func(_ string, values []string) bool { return values[0] == "" })
	return query
}

// SignPart signs a URL for the upload of one part of a composite upload. The part is stored as an object
// of its own, and the URL cannot write any other object.
func (d *objectDriver) SignPart(ctx context.Context, r *driver.SignPartRequest) (*storage.SignedURL, error) {
	upload, err := parseCompositeUpload(r.Upload)
	if err != nil {
		return nil, err
	}
	address, err := d.urls.bucketURL(r.BaseURL)
	if err != nil {
		return nil, err
	}

	opts := newCallOptions(r.Native)
	if err := opts.key.CheckAddress(address); err != nil {
		return nil, err
	}
	kmsKey, err := d.account.kmsKeyOfPart(r.Key, opts)
	if err != nil {
		return nil, err
	}

	header := http.Header{}
	if upload.class != "" {
		header.Set("X-Goog-Storage-Class", upload.class)
	}
	if kmsKey != "" {
		header.Set("X-Goog-Encryption-Kms-Key-Name", kmsKey)
	}
	setBodyHeaders(header, r.Size, r.Size, r.CRC32C)

	request := &v4Request{
		method:  http.MethodPut,
		address: objectURL(address, upload.key(r.Number)),
		header:  header,
		query:   url.Values{},
	}
	return d.urls.signRequest(ctx, request, opts, r.TTL, time.Now())
}
