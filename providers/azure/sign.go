package azure

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/escape"
	"github.com/omnibucket/storage/internal/invalid"
)

const (
	maxSigned  = 7 * 24 * time.Hour // the contract's, and of a user delegation key
	sourceTime = 24 * time.Hour     // of a copy in blocks, all of which have one source; Azure alone sees it

	tokenScope = "https://storage.azure.com/.default"
)

// signing is what an account keeps to sign with. The zero value is ready.
type signing struct {
	signer   *signingKey  // the account's own key; nil where it is not known
	userKeys userKeyCache // with a token credential
}

// signingHint is what an account lacks that cannot sign.
func (a *account) signingHint() string {
	if a.token != nil && a.name != "" {
		return "signing with a token credential takes the service's current version: set Config.Key, or leave Config.APIVersion out"
	}
	if a.token != nil {
		return "signing takes the account's name, which a domain of one's own does not tell: set Config.Account or account="
	}
	return "signing takes the account's key or a token credential: the account was opened with neither"
}

// delegates reports whether the account signs with user delegation keys. The
// service checks a signature by the account's name, and by fields that its older
// versions do not have.
func (a *account) delegates() bool {
	return a.token != nil && a.name != "" && (a.version == "" || a.version == sasVersion)
}

// signFeatures are what the account's credential makes of signing. No header is
// part of a signature of Azure's: a type is one to send, and a size or a form
// there is none.
func signFeatures(a *account) storage.Features {
	if a.signer == nil && !a.delegates() {
		return 0
	}
	return storage.SignURLs | storage.SignIfAbsent
}

// Sign makes no request where the account's key is known. With a token
// credential it asks for a user delegation key, at first and every hour; what is
// signed ends with the key, so that nearly seven days may be 75 minutes less
// than asked for.
func (d *driver) Sign(ctx context.Context, r *storage.SignRequest) (*storage.SignedURL, error) {
	return d.sign(ctx, r, time.Now())
}

func (d *driver) sign(ctx context.Context, r *storage.SignRequest, now time.Time) (*storage.SignedURL, error) {
	g, header, err := d.grant(r)
	if err != nil {
		return nil, err
	}
	root := r.BaseURL
	if root == "" {
		root = d.endpoint.String()
	}
	address, err := d.signURL(ctx, root, g, r.TTL, now)
	if err != nil {
		return nil, err
	}
	return &storage.SignedURL{URL: address, Method: r.Method, Header: header, ExpiresAt: g.ends}, nil
}

// grant is what the request gives, but for its end, and the headers that go with
// it.
func (d *driver) grant(r *storage.SignRequest) (*grant, http.Header, error) {
	g := &grant{container: d.bucket, key: r.Key, version: r.Version, permissions: mayRead}
	switch {
	case strings.Contains(r.Key, `\`):
		return nil, nil, invalid.Argument("key", "must not have a backslash, which Azure takes for a slash", "")
	case r.Method == http.MethodPut:
		g.permissions = mayOverwrite
		if r.Condition.Absent {
			g.permissions = mayCreate
		}
		header, err := uploadHeaders(r)
		return g, header, err
	case r.Method == http.MethodGet:
		g.disposition, g.mediaType = r.ResponseDisposition(), r.ResponseType
		if r.Version == "" {
			return g, http.Header{}, nil
		}
		return g, http.Header{}, checkVersion(r.Version)
	}
	return nil, nil, storage.Unsupported
}

// signed is the blob's address below root with the grant, whose end it sets: of
// ttl at least, but never past the end of the key that signs.
func (a *account) signURL(ctx context.Context, root string, g *grant, ttl time.Duration, now time.Time) (string, error) {
	second := now.UTC().Truncate(time.Second)
	g.ends = earlier(now.UTC().Add(ttl+time.Second-1).Truncate(time.Second), second.Add(maxSigned))
	g.plainHTTP = a.endpoint.Scheme == "http" || strings.HasPrefix(root, "http:")
	key := a.signer
	switch {
	case key != nil:
	case a.delegates():
		user, err := a.userKeys.get(ctx, now, ttl, a.requestUserKey)
		if err != nil {
			return "", err
		}
		key, g.ends = &user.signingKey, earlier(g.ends, user.ends)
	default:
		return "", &storage.Error{Code: storage.Unsupported, Hint: a.signingHint()}
	}
	return blobURL(root, g.container, g.key) + "?" + key.sign(g), nil
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// blobAddress is a blob's address below the account's root, escaped as a public
// one is.
func blobURL(root, container, key string) string {
	return strings.TrimSuffix(root, "/") + "/" + url.PathEscape(container) + "/" + escape.Key(key)
}

// uploadHeaders are what the uploader must send. Azure stores what comes in
// headers of its own, whatever a client sends for Content-Type.
func uploadHeaders(r *storage.SignRequest) (http.Header, error) {
	switch {
	case len(r.Native) > 0:
		return nil, storage.Unsupported
	case r.CRC32C != nil:
		return nil, &storage.Error{Code: storage.Unsupported, Hint: "a signed upload cannot be held to a CRC32C: Azure checks none"}
	case r.MinSize >= 0 || r.MaxSize >= 0:
		return nil, &storage.Error{Code: storage.Unsupported, Hint: "a signed upload cannot be held to a size: Azure's signatures know none"}
	}
	h := http.Header{}
	for name, value := range map[string]string{
		"X-Ms-Blob-Type":                "BlockBlob",
		"X-Ms-Blob-Content-Type":        r.ContentType,
		"X-Ms-Blob-Content-Encoding":    r.ContentEncoding,
		"X-Ms-Blob-Content-Disposition": r.ContentDisposition,
		"X-Ms-Blob-Content-Language":    r.ContentLanguage,
		"X-Ms-Blob-Cache-Control":       r.CacheControl,
		"X-Ms-Access-Tier":              r.StorageClass,
	} {
		if value != "" {
			h.Set(name, value)
		}
	}
	for name, value := range r.Metadata {
		h.Set("X-Ms-Meta-"+metadataNames.Stored(name), value)
	}
	return h, nil
}

// A copySource is how Azure itself reads the source of a copy. Neither field may
// be in an error.
type copySource struct {
	address       string
	authorization string // "": the address is enough
}

// source is the address of a blob of the account for a copy within it. A copy
// carries the right to read its source: a signature, the account's own, or the
// token itself, which needs no user delegation key.
//
// https://learn.microsoft.com/rest/api/storageservices/put-blob-from-url
func (a *account) authorizeSource(ctx context.Context, container, key, version string) (copySource, error) {
	root := a.endpoint.String()
	if a.signer != nil {
		g := &grant{container: container, key: key, version: version, permissions: mayRead}
		address, err := a.signURL(ctx, root, g, sourceTime, time.Now())
		return copySource{address: address}, err
	}
	s := copySource{address: blobURL(root, container, key)}
	var q query
	q.add("versionid", version)
	switch {
	case a.token != nil:
		token, err := a.token.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{tokenScope}})
		if err != nil {
			return copySource{}, translate(err)
		}
		s.authorization = "Bearer " + token.Token
	case a.sas != "":
		if q.Len() > 0 {
			q.WriteByte('&')
		}
		q.WriteString(a.sas)
	}
	if q.Len() > 0 {
		s.address += "?" + q.String()
	}
	return s, nil
}
