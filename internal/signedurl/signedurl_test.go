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
	require.Empty(t, r.header)

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
	k := newKeys(t, newSecret(1))
	other := newKeys(t, newSecret(2))
	swapped := func(s string) string { return strings.Map(swapCase, s) }
	tests := []struct {
		name  string
		alter func(r *request)
	}{
		{"another bucket", func(r *request) {
			r.bucket = "bucket2"
		}},
		{"another method", func(r *request) {
			r.method = http.MethodPatch
		}},
		{"another key", func(r *request) {
			r.key = "a/b d"
		}},
		{"a moved boundary between two parts", func(r *request) {
			r.bucket = "bucke"
			r.method = "tPUT"
		}},
		{"a key in another case", func(r *request) {
			r.key = "a/B c"
		}},
		{"a key escaped twice", func(r *request) {
			r.key = "a%2Fb%20c"
		}},
		{"a longer key", func(r *request) {
			r.key += "/d"
		}},
		{"no key", func(r *request) {
			r.key = ""
		}},
		{"no query", func(r *request) {
			r.query = ""
		}},
		{"no signature", func(r *request) {
			r.query = strings.TrimSuffix(r.query, "&ob-signature="+r.signature())
		}},
		{"an empty signature", func(r *request) {
			r.query = strings.TrimSuffix(r.query, r.signature())
		}},
		{"a truncated signature", func(r *request) {
			r.query = r.query[:len(r.query)-1]
		}},
		{"a truncated query", func(r *request) {
			r.query = r.query[:len(r.query)/2]
		}},
		{"a doubled signature", func(r *request) {
			r.query += r.signature()
		}},
		{"a doubled signature parameter", func(r *request) {
			r.query += "&ob-signature=" + r.signature()
		}},
		{"a doubled query", func(r *request) {
			r.query += "&" + r.query
		}},
		{"an upper-cased signature", func(r *request) {
			r.replace(r.signature(), strings.ToUpper(r.signature()))
		}},
		{"a signature in another case", func(r *request) {
			r.replace(r.signature(), swapped(r.signature()))
		}},
		{"a padded signature", func(r *request) {
			r.query += "="
		}},
		{"an escaped padding", func(r *request) {
			r.query += "%3D"
		}},
		{"a signature in hexadecimal", func(r *request) {
			raw, err := base64.RawURLEncoding.DecodeString(r.signature())
			require.NoError(t, err)
			r.replace(r.signature(), fmt.Sprintf("%x", raw))
		}},
		{"a signature whose last bits differ", alterUnusedBits},
		{"a signature of zeros", func(r *request) {
			r.replace(r.signature(), strings.Repeat("A", 43))
		}},
		{"an escaped signature", func(r *request) {
			r.replace(r.signature(), fmt.Sprintf("%%%X", r.signature()[0])+r.signature()[1:])
		}},
		{"an upper-cased query", func(r *request) {
			r.query = strings.ToUpper(r.query)
		}},
		{"a later expiry", func(r *request) {
			r.replace("ob-expires=1", "ob-expires=2")
		}},
		{"an expiry with a leading zero", func(r *request) {
			r.replace("ob-expires=", "ob-expires=0")
		}},
		{"an expiry with a sign", func(r *request) {
			r.replace("ob-expires=", "ob-expires=%2B")
		}},
		{"no expiry", func(r *request) {
			r.replace(fmt.Sprintf("ob-expires=%d&", noon.Add(time.Hour).Unix()), "")
		}},
		{"another key id", func(r *request) {
			r.replace(signForm(t, k, formRequest())["ob-key"], signForm(t, other, formRequest())["ob-key"])
		}},
		{"a wider size", func(r *request) {
			r.replace("ob-size=1-9", "ob-size=1-99")
		}},
		{"no size", func(r *request) {
			r.replace("&ob-size=1-9", "")
		}},
		{"another checksum", func(r *request) {
			r.replace("e3069283", "e3069284")
		}},
		{"no checksum", func(r *request) {
			r.replace("ob-crc32c=e3069283&", "")
		}},
		{"one header fewer", func(r *request) {
			r.replace("cache-control%3B", "")
		}},
		{"headers in lower-case escapes", func(r *request) {
			r.replace("%3B", "%3b")
		}},
		{"unescaped headers", func(r *request) {
			r.replace("%3B", ";")
		}},
		{"another parameter", func(r *request) {
			r.query = "x=y&" + r.query
		}},
		{"another parameter at the end", func(r *request) {
			r.query += "&x=y"
		}},
		{"a response type that the client added", func(r *request) {
			r.replace("&ob-signature", "&response-content-type=text%2Fhtml&ob-signature")
		}},
		{"an empty parameter", func(r *request) {
			r.replace("&ob-signature", "&ob-version=&ob-signature")
		}},
		{"another order", func(r *request) {
			r.replace("ob-crc32c=e3069283&", "")
			r.replace("&ob-signature", "&ob-crc32c=e3069283&ob-signature")
		}},
		{"a broken escape", func(r *request) {
			r.query = "%zz&" + r.query
		}},
		{"another content type", func(r *request) {
			r.header.Set("Content-Type", "text/html")
		}},
		{"no content type", func(r *request) {
			r.header.Del("Content-Type")
		}},
		{"two content types", func(r *request) {
			r.header.Add("Content-Type", "image/png")
		}},
		{"another metadata", func(r *request) {
			r.header.Set("X-Omnibucket-Meta-Name", "x")
		}},
		{"no condition", func(r *request) {
			r.header.Del("If-None-Match")
		}},
		{"not public", func(r *request) {
			r.header.Del("X-Omnibucket-Acl")
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			good := signedRequest(t, k, uploadRequest())
			r := signedRequest(t, k, uploadRequest())
			tt.alter(r)
			require.NotEqual(t, good, r, "the row changes something")
			g, status := r.verify(k, noon)
			require.Equal(t, signedurl.Invalid, status)
			require.Nil(t, g)
		})
	}
}

// swapCase returns a lower-case letter in upper case, and the other way round.
func swapCase(r rune) rune {
	if unicode.IsLower(r) {
		return unicode.ToUpper(r)
	}
	return unicode.ToLower(r)
}

// alterUnusedBits changes the last character of the signature so that it still decodes to the same bytes: Base64
// leaves the last bits of that character unused.
func alterUnusedBits(r *request) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	end := len(r.query) - 1
	last := strings.IndexByte(alphabet, r.query[end])
	r.query = r.query[:end] + string(alphabet[last^1])
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
