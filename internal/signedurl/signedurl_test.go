package signedurl_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/signedurl"
)

// VerifyURL of a signed upload returns a Grant, which has all options of the upload.
func TestSignURLOfAnUpload(t *testing.T) {
	k := newKeys(t, newSecret(1))
	grant, status := signedRequest(t, k, uploadRequest()).verify(k, noon)

	require.Equal(t, signedurl.Valid, status)
	require.Equal(t, &signedurl.Grant{
		Method:  http.MethodPut,
		Key:     "a/b c",
		Expires: noon.Add(time.Hour).Unix(),
		MinSize: 1,
		MaxSize: 9,
		CRC32C:  storage.CRC32C{Sum: 0xe3069283, Known: true},
		Attributes: []signedurl.Attribute{
			{Name: "cache-control", Value: "no-store"},
			{Name: "content-type", Value: "image/png"},
			{Name: "if-none-match", Value: "*"},
			{Name: "x-omnibucket-acl", Value: "public-read"},
			{Name: "x-omnibucket-meta-name", Value: "caf%C3%A9%20%26%20co"},
			{Name: "x-omnibucket-storage-class", Value: "COLD"},
		},
	}, grant)
	require.True(t, grant.RequiresAbsence()) // for if-none-match

	// UploadOptions turns the grant into the options of the signed request.
	opts, err := grant.UploadOptions()
	require.NoError(t, err)
	var got storage.UploadOptions
	require.NoError(t, got.Apply(opts...))

	want := uploadRequest()
	require.Equal(t, want.Properties, got.Properties)
	require.Equal(t, want.PublicRead, got.PublicRead)
	require.Equal(t, want.Condition, got.Condition)
	require.Equal(t, want.CRC32C, got.CRC32C)
}

// VerifyURL returns a Grant with all options of the signed download.
func TestSignURLOfADownload(t *testing.T) {
	k := newKeys(t, newSecret(1))
	r := signedRequest(t, k, downloadRequest())
	require.Empty(t, r.header, "a client sends a download without any header")

	grant, status := r.verify(k, noon)
	require.Equal(t, signedurl.Valid, status)
	require.Equal(t, "memory:7", grant.Version)
	require.Equal(t, "text/plain; charset=utf-8", grant.ResponseType)
	require.Equal(t, downloadRequest().ResponseDisposition(), grant.ResponseDisposition)
}

// A URL of SignPart is valid only for its key, upload and part number.
func TestSignPart(t *testing.T) {
	const key = "a/b c"
	k := newKeys(t, newSecret(1))
	u, err := signedurl.SignPart(k, "bucket", &driver.SignPartRequest{
		Key:     key,
		Upload:  "u&1",
		Number:  7,
		TTL:     time.Hour,
		BaseURL: base,
		Size:    5,
		CRC32C:  storage.CRC32C{Sum: 0xe3069283, Known: true},
	}, noon)
	require.NoError(t, err)
	require.Empty(t, u.Header)

	// The URL is valid for the upload of this part.
	_, query, _ := strings.Cut(u.URL, "?")
	grant, status := signedurl.VerifyURL(k, "bucket", http.MethodPut, key, query, nil, noon)
	require.Equal(t, signedurl.Valid, status)
	require.Equal(t, &signedurl.Grant{
		Method:     http.MethodPut,
		Key:        key,
		Upload:     "u&1",
		Part:       7,
		Expires:    noon.Add(time.Hour).Unix(),
		MinSize:    5,
		MaxSize:    5,
		CRC32C:     storage.CRC32C{Sum: 0xe3069283, Known: true},
		Attributes: grant.Attributes,
	}, grant)

	// Any alteration of the query makes the URL invalid.
	alterations := []struct {
		name  string
		query string
	}{
		{name: "another part", query: strings.Replace(query, "ob-part=7", "ob-part=8", 1)},
		{name: "no part", query: strings.Replace(query, "ob-part=7&", "", 1)},
		{name: "another upload", query: strings.Replace(query, "ob-upload=u%261", "ob-upload=u", 1)},
		{name: "two parts", query: "ob-part=8&" + query},
	}
	for _, tt := range alterations {
		t.Run(tt.name, func(t *testing.T) {
			require.NotEqual(t, query, tt.query)
			_, status := signedurl.VerifyURL(k, "bucket", http.MethodPut, key, tt.query, nil, noon)
			require.Equal(t, signedurl.Invalid, status)
		})
	}
}

// SignPart fails with Unsupported if a request has no base URL, no upload or no part number.
func TestSignPartUnsupported(t *testing.T) {
	tests := []struct {
		name string
		req  driver.SignPartRequest
	}{
		{name: "no base URL", req: driver.SignPartRequest{Upload: "u", Number: 1}},
		{name: "no upload", req: driver.SignPartRequest{BaseURL: base, Number: 1}},
		{name: "no part number", req: driver.SignPartRequest{BaseURL: base, Upload: "u"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := signedurl.SignPart(newKeys(t, newSecret(1)), "bucket", &tt.req, noon)
			require.ErrorIs(t, err, storage.Unsupported)
		})
	}
}

// If one thing in a valid request is altered, VerifyURL returns Invalid.
func TestVerifyURLAltered(t *testing.T) {
	keys := newKeys(t, newSecret(1))
	valid := signedRequest(t, keys, uploadRequest())
	query := valid.query
	signature := valid.signature()

	requests := []struct {
		name   string
		bucket string
		method string
		key    string
	}{
		{name: "another bucket", bucket: "bucket2", method: http.MethodPut, key: "a/b c"},
		{name: "another method", bucket: "bucket", method: http.MethodPatch, key: "a/b c"},
		{name: "a moved boundary between two parts", bucket: "bucke", method: "tPUT", key: "a/b c"},
		{name: "another key", bucket: "bucket", method: http.MethodPut, key: "a/b d"},
		{name: "a key in another case", bucket: "bucket", method: http.MethodPut, key: "a/B c"},
		{name: "a key escaped twice", bucket: "bucket", method: http.MethodPut, key: "a%2Fb%20c"},
		{name: "a longer key", bucket: "bucket", method: http.MethodPut, key: "a/b c/d"},
		{name: "no key", bucket: "bucket", method: http.MethodPut, key: ""},
	}
	for _, tt := range requests {
		t.Run(tt.name, func(t *testing.T) {
			r := signedRequest(t, keys, uploadRequest())
			r.bucket = tt.bucket
			r.method = tt.method
			r.key = tt.key
			requireAlteredAndInvalid(t, keys, r)
		})
	}

	// The query has another signature, or more or less than what was signed.
	rawSignature, err := base64.RawURLEncoding.DecodeString(signature)
	require.NoError(t, err)
	unsigned := strings.TrimSuffix(query, signature)
	noChecksum := strings.Replace(query, "ob-crc32c=e3069283&", "", 1)
	queries := []struct {
		name  string
		query string
	}{
		{name: "no query", query: ""},
		{name: "no signature", query: strings.TrimSuffix(query, "&ob-signature="+signature)},
		{name: "an empty signature", query: unsigned},
		{name: "a truncated signature", query: query[:len(query)-1]},
		{name: "a truncated query", query: query[:len(query)/2]},
		{name: "a doubled signature", query: query + signature},
		{name: "a doubled signature parameter", query: query + "&ob-signature=" + signature},
		{name: "a doubled query", query: query + "&" + query},
		{name: "an upper-cased signature", query: unsigned + strings.ToUpper(signature)},
		{name: "a signature in another case", query: unsigned + strings.Map(swapCase, signature)},
		{name: "a padded signature", query: query + "="},
		{name: "an escaped padding", query: query + "%3D"},
		{name: "a signature in hexadecimal", query: unsigned + fmt.Sprintf("%x", rawSignature)},
		{name: "a signature whose last bits differ", query: alterUnusedBits(query)},
		{name: "a signature of zeros", query: unsigned + strings.Repeat("A", len(signature))},
		{name: "an escaped signature", query: unsigned + fmt.Sprintf("%%%X", signature[0]) + signature[1:]},
		{name: "an upper-cased query", query: strings.ToUpper(query)},
		{name: "another parameter", query: "x=y&" + query},
		{name: "another parameter at the end", query: query + "&x=y"},
		{name: "a broken escape", query: "%zz&" + query},
		{
			name:  "another order",
			query: strings.Replace(noChecksum, "&ob-signature", "&ob-crc32c=e3069283&ob-signature", 1),
		},
	}
	for _, tt := range queries {
		t.Run(tt.name, func(t *testing.T) {
			r := signedRequest(t, keys, uploadRequest())
			r.query = tt.query
			requireAlteredAndInvalid(t, keys, r)
		})
	}

	// One text in the query is replaced by another one.
	keyID := signForm(t, keys, formRequest())["ob-key"]
	otherKeyID := signForm(t, newKeys(t, newSecret(2)), formRequest())["ob-key"]
	expires := fmt.Sprintf("ob-expires=%d&", noon.Add(time.Hour).Unix())
	replacements := []struct {
		name    string
		text    string
		newText string
	}{
		{name: "a later expiry", text: "ob-expires=1", newText: "ob-expires=2"},
		{name: "an expiry with a leading zero", text: "ob-expires=", newText: "ob-expires=0"},
		{name: "an expiry with a sign", text: "ob-expires=", newText: "ob-expires=%2B"},
		{name: "no expiry", text: expires, newText: ""},
		{name: "another key id", text: keyID, newText: otherKeyID},
		{name: "a wider size", text: "ob-size=1-9", newText: "ob-size=1-99"},
		{name: "no size", text: "&ob-size=1-9", newText: ""},
		{name: "another checksum", text: "e3069283", newText: "e3069284"},
		{name: "no checksum", text: "ob-crc32c=e3069283&", newText: ""},
		{name: "one header fewer", text: "cache-control%3B", newText: ""},
		{name: "headers in lower-case escapes", text: "%3B", newText: "%3b"},
		{name: "unescaped headers", text: "%3B", newText: ";"},
		{
			name:    "a response type that the client added",
			text:    "&ob-signature",
			newText: "&response-content-type=text%2Fhtml&ob-signature",
		},
		{name: "an empty parameter", text: "&ob-signature", newText: "&ob-version=&ob-signature"},
	}
	for _, tt := range replacements {
		t.Run(tt.name, func(t *testing.T) {
			r := signedRequest(t, keys, uploadRequest())
			r.replace(tt.text, tt.newText)
			requireAlteredAndInvalid(t, keys, r)
		})
	}

	headers := []struct {
		name   string
		header string
		values []string // in place of the signed value
	}{
		{name: "another content type", header: "Content-Type", values: []string{"text/html"}},
		{name: "no content type", header: "Content-Type"},
		{name: "two content types", header: "Content-Type", values: []string{"image/png", "image/png"}},
		{name: "another metadata", header: "X-Omnibucket-Meta-Name", values: []string{"x"}},
		{name: "no condition", header: "If-None-Match"},
		{name: "not public", header: "X-Omnibucket-Acl"},
	}
	for _, tt := range headers {
		t.Run(tt.name, func(t *testing.T) {
			r := signedRequest(t, keys, uploadRequest())
			r.header.Del(tt.header)
			for _, value := range tt.values {
				r.header.Add(tt.header, value)
			}
			requireAlteredAndInvalid(t, keys, r)
		})
	}
}

// requireAlteredAndInvalid requires that r is not as uploadRequest was signed, and that it is Invalid.
func requireAlteredAndInvalid(t *testing.T, keys signedurl.Keys, r *request) {
	t.Helper()
	valid := signedRequest(t, keys, uploadRequest())
	require.NotEqual(t, valid, r, "the row changes something")

	grant, status := r.verify(keys, noon)
	require.Equal(t, signedurl.Invalid, status)
	require.Nil(t, grant)
}

// swapCase returns a lower-case letter in upper case, and the other way round.
func swapCase(r rune) rune {
	if unicode.IsLower(r) {
		return unicode.ToUpper(r)
	}
	return unicode.ToLower(r)
}

// alterUnusedBits changes the last character of the signature at the end of a query, so that it still decodes to the
// same bytes. Base64 leaves the last bits of that character unused.
func alterUnusedBits(query string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	end := len(query) - 1
	last := strings.IndexByte(alphabet, query[end])
	return query[:end] + string(alphabet[last^1])
}

// VerifyURL returns Expired once the time of a signed URL is over, and Invalid if it was signed far
// in the future.
func TestSignURLExpires(t *testing.T) {
	const ttl = time.Hour // of downloadRequest
	k := newKeys(t, newSecret(1))
	r := signedRequest(t, k, downloadRequest())

	tests := []struct {
		name string
		now  time.Time
		want signedurl.Status
	}{
		{name: "immediately", now: noon, want: signedurl.Valid},
		{name: "at the last moment", now: noon.Add(ttl - 1), want: signedurl.Valid},
		{name: "at its end", now: noon.Add(ttl), want: signedurl.Expired},
		{name: "long after", now: noon.Add(1000 * ttl), want: signedurl.Expired},
		{name: "by a clock that is minutes slow", now: noon.Add(-10 * time.Minute), want: signedurl.Valid},
		{name: "from the future", now: noon.Add(-8 * 24 * time.Hour), want: signedurl.Invalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, status := r.verify(k, tt.now)
			require.Equal(t, tt.want, status)
		})
	}

	t.Run("at its end, for another key", func(t *testing.T) {
		other := signedRequest(t, k, downloadRequest())
		other.key = "other"
		_, status := other.verify(k, noon.Add(ttl))
		require.Equal(t, signedurl.Invalid, status, "only a valid signature may be Expired")
	})
}

// The first of several keys signs, all of them verify, and the signatures of a removed key are
// Invalid.
func TestKeysRotated(t *testing.T) {
	older := newKeys(t, newSecret(1))
	newer := newKeys(t, newSecret(2))
	both := newKeys(t, newSecret(2), newSecret(1))
	none := signedurl.Keys{}

	tests := []struct {
		name     string
		signer   signedurl.Keys
		verifier signedurl.Keys
		want     signedurl.Status
	}{
		{name: "the first signs", signer: both, verifier: newer, want: signedurl.Valid},
		{name: "the others do not sign", signer: both, verifier: older, want: signedurl.Invalid},
		{name: "an older one verifies", signer: older, verifier: both, want: signedurl.Valid},
		{name: "a removed one does not", signer: older, verifier: newer, want: signedurl.Invalid},
		{name: "no key verifies nothing", signer: older, verifier: none, want: signedurl.Invalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, status := signedRequest(t, tt.signer, uploadRequest()).verify(tt.verifier, noon)
			require.Equal(t, tt.want, status, "URL")

			fields := signForm(t, tt.signer, formRequest())
			_, status = signedurl.VerifyForm(tt.verifier, "bucket", fields, noon)
			require.Equal(t, tt.want, status, "form")
		})
	}
}

// Signing keys and secrets show nothing when they are printed.
func TestKeysPrintNothing(t *testing.T) {
	k := newKeys(t, []byte("SECRET-SECRET-SECRET-SECRET-SECRET"))
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		require.Equal(t, "REDACTED", fmt.Sprintf(format, k))
		require.Equal(t, "REDACTED", fmt.Sprintf(format, signedurl.Secrets{newSecret(1)}))
	}

	text, err := json.Marshal(signedurl.Secrets{newSecret(1)})
	require.NoError(t, err)
	require.Equal(t, `"REDACTED"`, string(text))
}

// The error about a secret that is too short does not show the secret.
func TestShortSecret(t *testing.T) {
	_, err := signedurl.NewKeys([][]byte{[]byte("too short")})
	require.ErrorIs(t, err, storage.InvalidArgument)
	require.NotContains(t, err.Error(), "too short")
}

// NewSecret returns another secret each time.
func TestNewSecret(t *testing.T) {
	require.NotEqual(t, signedurl.NewSecret(), signedurl.NewSecret())
}

// VerifyForm returns a Grant with all options of the signed form. The Grant is that of a signed URL
// with the same options, except for its method.
func TestSignForm(t *testing.T) {
	keys := newKeys(t, newSecret(1))
	fields := signForm(t, keys, formRequest())
	require.Equal(t, "a/b c", fields["key"])
	grant, status := signedurl.VerifyForm(keys, "bucket", fields, noon)
	require.Equal(t, signedurl.Valid, status)

	urlRequest := uploadRequest()
	urlRequest.Condition = storage.Condition{} // a form has none
	want, _ := signedRequest(t, keys, urlRequest).verify(keys, noon)
	want.Method = http.MethodPost
	require.Equal(t, want, grant)
}

// VerifyForm returns Expired after the end of a signed form, and Invalid for another bucket.
func TestVerifyFormRefused(t *testing.T) {
	keys := newKeys(t, newSecret(1))
	fields := signForm(t, keys, formRequest())

	_, status := signedurl.VerifyForm(keys, "bucket", fields, noon.Add(time.Hour))
	require.Equal(t, signedurl.Expired, status)

	_, status = signedurl.VerifyForm(keys, "other", fields, noon)
	require.Equal(t, signedurl.Invalid, status)
}

// VerifyForm returns Invalid if a field of a signed form is altered, removed, emptied or added.
func TestVerifyFormAltered(t *testing.T) {
	k := newKeys(t, newSecret(1))
	good := signForm(t, k, formRequest())
	requireInvalid := func(name string, fields map[string]string) {
		_, status := signedurl.VerifyForm(k, "bucket", fields, noon)
		require.Equal(t, signedurl.Invalid, status, name)
	}

	// Each field has another value, is missing, or is empty.
	for name := range good {
		altered := maps.Clone(good)
		altered[name] += "0"
		requireInvalid("another "+name, altered)

		delete(altered, name)
		requireInvalid("no "+name, altered)

		altered[name] = ""
		requireInvalid("an empty "+name, altered)
	}

	// The form has an additional field.
	added := maps.Clone(good)
	added["content-encoding"] = "gzip"
	requireInvalid("an additional field", added)

	// Move a letter from the name of a field to its value. The name followed by the value is the same text as before.
	moved := maps.Clone(good)
	delete(moved, "content-type")
	moved["content-typ"] = "e" + good["content-type"]
	requireInvalid("a moved boundary between name and value", moved)

	requireInvalid("no fields", nil)
}

// SignForm signs only a request with size bounds, and SignURL signs no request for a form.
func TestSignFormNeedsBounds(t *testing.T) {
	k := newKeys(t, newSecret(1))
	r := formRequest()

	_, err := signedurl.SignURL(k, "bucket", r, noon)
	require.ErrorIs(t, err, storage.Unsupported)

	r.MinSize = -1
	r.MaxSize = -1
	_, err = signedurl.SignForm(k, "bucket", r, noon)
	require.ErrorIs(t, err, storage.Unsupported, "a form must have bounds")
}

// SignForm fails with Unsupported if a request has a condition.
func TestSignFormWithACondition(t *testing.T) {
	r := formRequest()
	r.Condition.Absent = true

	_, err := signedurl.SignForm(newKeys(t, newSecret(1)), "bucket", r, noon)
	require.ErrorIs(t, err, storage.Unsupported)
	require.ErrorContains(t, err, "SignedUploadURL")
}

// SignURL returns Unsupported for a request that has another method, no base URL, a revision, or no key.
func TestSignURLUnsupported(t *testing.T) {
	signingKeys := newKeys(t, newSecret(1))
	otherMethod := uploadRequest()
	otherMethod.Method = http.MethodPatch
	noBaseURL := uploadRequest()
	noBaseURL.BaseURL = ""
	revision := uploadRequest()
	revision.Condition = storage.Condition{Revision: "1"}

	tests := []struct {
		name string
		keys signedurl.Keys
		req  *driver.SignRequest
	}{
		{name: "another method", keys: signingKeys, req: otherMethod},
		{name: "no base URL", keys: signingKeys, req: noBaseURL},
		{name: "a revision", keys: signingKeys, req: revision},
		{name: "no signing key", keys: signedurl.Keys{}, req: uploadRequest()},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := signedurl.SignURL(tt.keys, "bucket", tt.req, noon)
			require.ErrorIs(t, err, storage.Unsupported)
		})
	}
}

// HasParams reports whether a query has a parameter of a signed URL.
func TestHasParams(t *testing.T) {
	tests := []struct {
		name  string
		query string
		want  bool
	}{
		{name: "no query", query: "", want: false},
		{name: "another parameter", query: "v=1", want: false},
		{name: "a value with the prefix's letters", query: "v=blob-1", want: false},
		{name: "a name with the prefix's letters", query: "x=1&blob-2=3", want: false},
		{name: "only a signed parameter", query: "ob-signature=x", want: true},
		{name: "a signed parameter after another", query: "v=1&ob-expires=3", want: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, signedurl.HasParams(tt.query))
		})
	}
}
