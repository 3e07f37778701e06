package azure

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/escape"
	"github.com/omnibucket/storage/providers/internal/customerkey"
)

const (
	maxSigned  = 7 * 24 * time.Hour // the limit of this library and of a user delegation key
	sourceTime = 15 * time.Minute   // validity of the signature for a copy's source; only Azure receives it

	tokenScope = "https://storage.azure.com/.default"
)

// signingHint returns the hint for an account that cannot sign, which names the setting that is missing.
func (a *account) signingHint() string {
	if a.token != nil && a.name != "" {
		return "signing with a token credential needs the service version " + scopeVersion + " or later: set Config.Key, or a later Config.APIVersion"
	}
	if a.token != nil {
		return "signing needs the account's name, which a custom domain does not contain: set Config.Account or account="
	}
	return "to sign, open the account with its key or a token credential"
}

// delegates reports whether the account signs with user delegation keys. A signature with such a
// key contains the account's name, so the name must be known. It also contains fields that service
// versions before scopeVersion do not have.
func (a *account) delegates() bool {
	return a.token != nil && a.name != "" && !a.isBefore(scopeVersion)
}

// signFeatures returns the signing features that the account's credential permits. A content type
// or a size cannot be enforced, because Azure's signatures cover no headers. Azure has no signed
// forms.
func signFeatures(a *account) storage.Features {
	if a.signer == nil && !a.delegates() {
		return 0
	}

	features := storage.SignedURLs | storage.SignedIfAbsent | storage.SignedParts | storage.SignedRemovals
	// Only the account's key makes stable URLs, because each process has another user delegation key.
	if a.signer != nil {
		features |= storage.StableURLs
	}
	return features
}

// Sign makes no request if the account's key is known. With a token credential, it requests a user
// delegation key at first, and then every hour. A user delegation key is valid for seven days,
// which begin 15 minutes before the request. A signature does not outlive its key, and the key may
// already be an hour old. So a signature for seven days may end up to 75 minutes earlier.
//
// A signature is valid from 15 minutes before it is made, because the clocks of clients and
// services may differ.
func (d *objectDriver) Sign(ctx context.Context, r *driver.SignRequest) (*storage.SignedURL, error) {
	return d.sign(ctx, r, time.Now())
}

// sign does the work of Sign at the time now.
func (d *objectDriver) sign(ctx context.Context, r *driver.SignRequest, now time.Time) (*storage.SignedURL, error) {
	g, header, err := d.newGrant(r)
	if err != nil {
		return nil, err
	}

	root := cmp.Or(r.BaseURL, d.account.root)
	if key := customerkey.In(r.Native); key != nil {
		// The engine has checked that BaseURL is a URL.
		u, _ := url.Parse(root)
		if err := key.CheckAddress(u); err != nil {
			return nil, err
		}
	}

	start, ttl := r.Term(now)
	address, end, err := d.account.signURL(ctx, root, g, ttl, start)
	if err != nil {
		return nil, err
	}
	return &storage.SignedURL{URL: address, Method: r.Method, Header: header, ExpiresAt: end}, nil
}

// newGrant returns the access that r requests, without its expiry, and the headers to send.
func (d *objectDriver) newGrant(r *driver.SignRequest) (*grant, http.Header, error) {
	if strings.Contains(r.Key, `\`) {
		return nil, nil, argument.Invalid("key", "must not have a backslash, which Azure treats as a slash", "")
	}
	g := &grant{container: d.container.name, key: r.Key, version: r.Version}
	var header http.Header
	var err error
	switch r.Method {
	case http.MethodPut:
		header, err = d.grantUpload(g, r)
	case http.MethodGet:
		header, err = grantDownload(g, r)
	case http.MethodDelete:
		header, err = grantRemoval(g, r)
	default:
		err = storage.Unsupported
	}
	if err != nil {
		return nil, nil, err
	}
	return g, header, nil
}

// grantDownload adds to g the permission to read, and the headers of the response that r replaces. It
// returns the headers that the reader must send with the URL.
func grantDownload(g *grant, r *driver.SignRequest) (http.Header, error) {
	n := newNativeOptions(r.Native)
	if len(n.options) > 0 {
		return nil, errSignedOptions
	}
	if r.Version != "" {
		if err := checkVersion(r.Version); err != nil {
			return nil, err
		}
	}

	g.permissions = mayRead
	g.disposition = r.ResponseDisposition()
	g.mediaType = r.ResponseType
	g.cacheControl = r.ResponseCacheControl

	header := http.Header{}
	// Without a customer's key, this sets no header.
	n.key.SetHeaders(header, "X-Ms-")
	return header, nil
}

// grantRemoval adds to g the permission to remove the blob, or the version that r names. It returns the
// headers that the client must send with the URL.
func grantRemoval(g *grant, r *driver.SignRequest) (http.Header, error) {
	if len(r.Native) > 0 {
		return nil, errSignedOptions
	}
	if r.Version != "" {
		if err := checkVersion(r.Version); err != nil {
			return nil, err
		}
		g.permissions = mayRemoveVersion
		return http.Header{}, nil
	}

	g.permissions = mayRemove
	// Azure does not remove a blob without its snapshots.
	header := http.Header{}
	header.Set("X-Ms-Delete-Snapshots", "include")
	return header, nil
}

// errSignedOptions is the error for WithOptions, which changes requests and cannot change a signed
// URL.
var errSignedOptions = &storage.Error{Code: storage.Unsupported, Hint: "WithOptions does not fit a signed URL"}

// grantUpload adds to a grant the permission to write and the encryption scope, and returns the
// headers that the uploader must send.
func (d *objectDriver) grantUpload(g *grant, r *driver.SignRequest) (http.Header, error) {
	n, err := d.account.nativeWriteOptions(r.Native)
	if err != nil {
		return nil, err
	}
	g.permissions = mayOverwrite
	if r.Condition.Absent {
		g.permissions = mayCreate
	}
	g.scope = n.scope
	if len(n.options) > 0 {
		return nil, errSignedOptions
	}
	if g.scope != "" && d.account.isBefore(scopeVersion) {
		return nil, &storage.Error{
			Code: storage.Unsupported,
			Hint: "a signature has an encryption scope since the service version " + scopeVersion + ": omit Config.APIVersion",
		}
	}
	return uploadHeaders(r, n)
}

// signURL returns the signed URL of the blob below root, and when it expires. The URL is valid from
// clockSkew before now, for at least ttl, unless the key that signs it expires earlier. It must
// have a start, because an account with a SAS expiration policy may refuse a signature without one.
// https://learn.microsoft.com/azure/storage/common/sas-expiration-policy
// https://github.com/microsoft/AzureStorageExplorer/issues/8845
func (a *account) signURL(
	ctx context.Context, root string, g *grant, ttl time.Duration, now time.Time,
) (string, time.Time, error) {
	// The start is rounded up, like the end. Otherwise the URL could be valid for up to a second longer
	// than ttl plus clockSkew, and be refused if the account's expiration policy permits no more.
	start := roundUp(now).Add(-clockSkew)
	latestEnd := now.UTC().Truncate(time.Second).Add(maxSigned)
	end := minTime(roundUp(now.Add(ttl)), latestEnd)
	if a.signer != nil {
		return a.signWith(a.signer, root, *g, start, end), end, nil
	}

	// Without the account's key, a user delegation key signs the URL, until that key expires.
	if !a.delegates() {
		return "", time.Time{}, &storage.Error{Code: storage.Unsupported, Hint: a.signingHint()}
	}
	userKey, err := a.userKeys.get(ctx, now, ttl, a.requestUserKey)
	if err != nil {
		return "", time.Time{}, err
	}
	end = minTime(end, userKey.expires)
	return a.signWith(userKey.signingKey, root, *g, start, end), end, nil
}

// signWith returns the URL below root that key signs for a grant, which is valid from start to end.
func (a *account) signWith(key *signingKey, root string, g grant, start, end time.Time) string {
	g.start = start.Format(sasTime)
	g.expiry = end.UTC().Format(sasTime)
	g.plainHTTP = a.endpoint.Scheme == "http" || strings.HasPrefix(root, "http:")
	return key.sign(root, &g)
}

// roundUp returns the time in UTC, rounded up to a whole second.
func roundUp(t time.Time) time.Time {
	return t.UTC().Add(time.Second - 1).Truncate(time.Second)
}

// minTime returns the earlier of two times.
func minTime(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// appendBlobURL appends a blob's URL below the account's root, escaped like a public
// URL.
func appendBlobURL(dst []byte, root, container, key string) []byte {
	dst = append(append(dst, strings.TrimSuffix(root, "/")...), '/')
	dst = append(append(dst, url.PathEscape(container)...), '/')
	return escape.AppendPath(dst, key)
}

// uploadHeaders returns the headers that the uploader must send. Azure stores the properties of a
// blob from headers of its own, and not from standard ones such as Content-Type.
func uploadHeaders(r *driver.SignRequest, n *nativeOptions) (http.Header, error) {
	if r.CRC32C.Known {
		return nil, &storage.Error{Code: storage.Unsupported, Hint: "Azure does not verify a CRC32C of a signed upload"}
	}
	// A negative size means that there is no limit.
	if r.MinSize >= 0 || r.MaxSize >= 0 {
		return nil, &storage.Error{Code: storage.Unsupported, Hint: "Azure does not limit the size of a signed upload"}
	}

	header := http.Header{}
	for name, value := range map[string]string{
		"X-Ms-Blob-Type":                "BlockBlob",
		"X-Ms-Blob-Content-Type":        r.ContentType,
		"X-Ms-Blob-Content-Encoding":    r.ContentEncoding,
		"X-Ms-Blob-Content-Disposition": r.ContentDisposition,
		"X-Ms-Blob-Content-Language":    r.ContentLanguage,
		"X-Ms-Blob-Cache-Control":       r.CacheControl,
		"X-Ms-Access-Tier":              cmp.Or(n.tier, r.StorageClass),
	} {
		if value != "" {
			header.Set(name, value)
		}
	}
	for name, value := range r.Metadata {
		header.Set("X-Ms-Meta-"+metadataNames.Escape(name), value)
	}

	// A customer's key is also sent in headers.
	n.key.SetHeaders(header, "X-Ms-")
	return header, nil
}

// authorizeSource returns the URL with which Azure reads the source of a copy, and the
// Authorization header for that read. The URL is signed with the account's key, if that is known,
// or has the shared access signature. Only a token credential is sent in the header. No error may
// contain the URL or the header.
//
// If the URL is longer than the service accepts, authorizeSource returns Unsupported, and the
// engine reads and uploads the bytes itself. A URL may be three times as long as the key, because
// each byte may be escaped. https://learn.microsoft.com/rest/api/storageservices/put-blob-from-url
func (a *account) authorizeSource(
	ctx context.Context, source driver.ObjectRef,
) (address, authorization string, err error) {
	address, authorization, err = a.readableSource(ctx, source)
	if err != nil {
		return "", "", err
	}
	if len(address) > maxSourceURL {
		return "", "", storage.Unsupported
	}
	return address, authorization, nil
}

// readableSource does the work of authorizeSource, for a URL of any length.
func (a *account) readableSource(
	ctx context.Context, source driver.ObjectRef,
) (address, authorization string, err error) {
	if a.signer == nil {
		return a.sourceWithCredential(ctx, source)
	}
	g := &grant{container: source.Bucket, key: source.Key, version: source.Version, permissions: mayRead}
	address, _, err = a.signURL(ctx, a.root, g, sourceTime, time.Now())
	return address, "", err
}

const maxSourceURL = 2 << 10 // bytes

// sourceWithCredential returns the URL of the source of a copy, and the header with which the
// service may read it. It is for an account without a key. A public container needs neither a token
// nor a signature.
func (a *account) sourceWithCredential(
	ctx context.Context, source driver.ObjectRef,
) (address, authorization string, err error) {
	q := query{address: appendBlobURL(nil, a.root, source.Bucket, source.Key), separator: '?'}
	q.add("versionid", source.Version)

	// A token is sent in a header of its own.
	if a.token != nil {
		token, err := a.token.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{tokenScope}})
		if err != nil {
			return "", "", translate(err)
		}
		return string(q.address), "Bearer " + token.Token, nil
	}

	// A shared access signature is part of the URL.
	sas := a.sas
	if a.requestSAS != nil {
		sas, err = a.requestSAS(ctx)
		if err != nil {
			return "", "", err
		}
	}
	if sas != "" {
		q.addEscaped(sas)
	}
	return string(q.address), "", nil
}

// SignPart signs a request that stores a part as a blob of its own. The URL cannot write any other
// blob.
func (d *objectDriver) SignPart(ctx context.Context, r *driver.SignPartRequest) (*storage.SignedURL, error) {
	u, err := parseOpenUpload(r.Upload)
	if err != nil {
		return nil, err
	}
	signedURL, err := d.Sign(ctx, &driver.SignRequest{
		Method:  http.MethodPut,
		Key:     u.key(r.Number),
		TTL:     r.TTL,
		BaseURL: r.BaseURL,
		MinSize: r.Size,
		MaxSize: r.Size,
		Native:  r.Native,
	})
	if err != nil {
		return nil, err
	}
	// The tier applies to the object, not to its parts.
	signedURL.Header.Del("X-Ms-Access-Tier")
	return signedURL, nil
}
