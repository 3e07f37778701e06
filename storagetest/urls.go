package storagetest

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/storagetest/faults"
)

// signedPartCases are cases about signed URLs that store one part of an upload.
var signedPartCases = []Case{
	{
		Name:        "a signed part stores one part",
		Rule:        "U4",
		Explanation: "without credentials and with the signed checksum; Parts tells it, another checksum is refused, the object is made of signed and other parts, and nothing changes it later",
		Needs:       storage.OpenUploads | storage.SignedParts,
		run: func(t *T) {
			b := t.open()
			first := body(t.unit, 1)
			last := "end"
			begin := []storage.MultipartOption{storage.WithUncheckedParts()}
			if t.has(storage.SignedPartChecksums) {
				begin = nil
			}
			u := t.begin(b, "a", begin...)
			sign := func(number int, text string) *storage.SignedURL {
				opts := []storage.SignedPartOption{storage.WithTTL(time.Minute)}
				if t.has(storage.SignedPartChecksums) {
					opts = append(opts, storage.WithCRC32C(sum([]byte(text))))
				}
				signedURL, err := u.SignPart(t.Context(), number, opts...)
				require.NoError(t, err)
				return signedURL
			}
			signedURL := sign(1, first)
			late := sign(3, "late")
			require.Equal(t, http.MethodPut, signedURL.Method)
			require.WithinDuration(t, time.Now().Add(time.Minute), signedURL.ExpiresAt, 2*time.Minute)
			if t.has(storage.SignedPartChecksums) {
				require.GreaterOrEqual(t, t.do(signedURL, strings.NewReader("evil"), nil).status, 400)
			}
			response := t.do(signedURL, strings.NewReader(first), nil)
			require.Less(t, response.status, 300, response.body)
			t.putPart(u, 2, last)
			parts, err := u.Parts(t.Context())
			require.NoError(t, err)
			require.Len(t, parts, 2)
			require.EqualValues(t, len(first), parts[0].Size)
			require.Equal(t, response.header.Get("ETag"), parts[0].ETag)
			t.requireMissing(b, "a")
			_, err = u.Complete(t.Context(), storage.WithParts(parts...))
			require.NoError(t, err)
			t.requireContent(b, "a", first+last)
			// The response is not checked, because some stores accept a part even after the upload
			// is complete.
			t.do(late, strings.NewReader("late"), nil)
			t.requireContent(b, "a", first+last)
			require.Equal(t, []string{"a"}, t.keys(b))
		},
	},
	{
		Name:        "a signed part allows only its own request",
		Rule:        "U4",
		Explanation: "with another method, key, part number or upload, or a changed signature, the store refuses it and stores nothing",
		Needs:       storage.OpenUploads | storage.SignedParts,
		run: func(t *T) {
			b := t.open()
			u := t.begin(b, "a", storage.WithUncheckedParts())
			other := t.begin(b, "a", storage.WithUncheckedParts())
			signedURL, err := u.SignPart(t.Context(), 1)
			require.NoError(t, err)
			link, err := other.SignPart(t.Context(), 2)
			require.NoError(t, err)
			changes := append([]tampering{
				{"another part with this signature", func(t *T, s *storage.SignedURL) {
					ownSignature := querySignature(t, s.URL)
					s.URL = replaceQuery(t, link.URL, func(pairs []string, signature int) []string {
						pairs[signature] = ownSignature
						return pairs
					})
				}},
			}, tamperings...)
			for _, change := range changes {
				altered := *signedURL
				change.change(t, &altered)
				require.GreaterOrEqual(t, t.do(&altered, strings.NewReader("evil"), nil).status, 400, change.name)
			}
			for _, upload := range []storage.MultipartUpload{u, other} {
				parts, err := upload.Parts(t.Context())
				require.NoError(t, err)
				require.Empty(t, parts)
			}
			require.Empty(t, t.keys(b))
		},
	},
	{
		Name:        "a signed part binds what was signed",
		Rule:        "U4",
		Explanation: "a size with SignedSize, else it is Unsupported; a checksum unless WithUncheckedParts; numbers are in range, and signing needs its permission; no request is made",
		Needs:       storage.OpenUploads | storage.SignedParts,
		run: func(t *T) {
			b := t.open()
			u := t.begin(b, "a")
			crc := storage.WithCRC32C(sum([]byte("text")))
			refuses := func(code storage.Code, u storage.MultipartUpload, number int, opts ...storage.SignedPartOption) {
				t.Helper()
				t.requireNoRequests(func() {
					_, err := u.SignPart(t.Context(), number, opts...)
					t.requireCode(err, code)
				})
			}
			refuses(storage.InvalidArgument, u, 0, crc)
			refuses(storage.InvalidArgument, u, 1)
			refuses(storage.InvalidArgument, u, 1, crc, storage.WithTTL(0))
			refuses(storage.InvalidArgument, u, 1, crc, storage.WithSize(-1))
			refuses(storage.PermissionDenied, t.continueUpload(storage.Ref[storage.Uploader](b), u), 1, crc)
			for _, feature := range []storage.Features{storage.SignedParts, storage.SignedPartChecksums} {
				limited := t.openLimited(faults.Limits{Disable: feature})
				refuses(storage.Unsupported, t.begin(limited, "a"), 1, crc)
			}
			limited := t.openLimited(faults.Limits{Disable: storage.SignedSize})
			refuses(storage.Unsupported, t.begin(limited, "a", storage.WithUncheckedParts()), 1, storage.WithSize(4))
			if t.has(storage.SignedSize) {
				u := t.begin(b, "s", storage.WithUncheckedParts())
				signedURL, err := u.SignPart(t.Context(), 1, storage.WithSize(4))
				require.NoError(t, err)
				require.GreaterOrEqual(t, t.do(signedURL, strings.NewReader("longer"), nil).status, 400)
				require.Less(t, t.do(signedURL, strings.NewReader("text"), nil).status, 300)
			}

			u = t.begin(b, "b", storage.WithUncheckedParts(), storage.WithMaxSize(10))
			refuses(storage.InvalidArgument, u, 1, crc)
			signedURL, err := u.SignPart(t.Context(), 1)
			require.NoError(t, err)
			response := t.do(signedURL, strings.NewReader("text"), nil)
			require.Less(t, response.status, 300, response.body)
			_, err = u.Complete(t.Context())
			require.NoError(t, err)
			t.requireContent(b, "b", "text")

			u = t.begin(b, "c", storage.WithUncheckedParts(), storage.WithMaxSize(10))
			signedURL, err = u.SignPart(t.Context(), 1)
			require.NoError(t, err)
			require.Less(t, t.do(signedURL, strings.NewReader("more than ten bytes"), nil).status, 300)
			_, err = u.Complete(t.Context())
			t.requireCode(err, storage.InvalidArgument)
			t.requireMissing(b, "c")
		},
	},
	{
		Name:        "a signed part expires",
		Rule:        "U4",
		Explanation: "after its TTL the store refuses it",
		Needs:       storage.OpenUploads | storage.SignedParts,
		run: func(t *T) {
			b := t.open()
			u := t.begin(b, "a", storage.WithUncheckedParts())
			signedURL, err := u.SignPart(t.Context(), 1, storage.WithTTL(time.Second))
			require.NoError(t, err)
			require.Eventually(
				t, func() bool { return t.do(signedURL, strings.NewReader("x"), nil).status >= 400 }, time.Minute,
				200*time.Millisecond,
			)
			require.False(t, time.Now().Before(signedURL.ExpiresAt), "it must work until it expires")
			require.NoError(t, u.Abort(t.Context()))
		},
	},
}

// querySignature returns the parameter of the URL's query that holds the signature.
func querySignature(t *T, address string) string {
	_, query, _ := strings.Cut(address, "?")
	pairs := strings.Split(query, "&")
	return pairs[signatureIn(t, pairs)]
}

var publicCases = []Case{
	{
		Name:        "a public URL is built without a request",
		Rule:        "S6",
		Explanation: "it joins one base URL and the escaped key in the same way everywhere: it parses back to the key, and + becomes %2B",
		run: func(t *T) {
			b := t.open(storage.WithPublicBaseURL("https://cdn.example.com/files"))
			t.requireNoRequests(func() {
				for _, key := range signedKeys() {
					address, err := b.PublicURL(key)
					require.NoError(t, err, "%q", key)
					u, err := url.Parse(address)
					require.NoError(t, err, "%q", key)
					require.Equal(t, "/files/"+key, u.Path)
					require.Empty(t, u.RawQuery)
					require.Empty(t, u.Fragment)
					require.NotContains(t, address, "+")
				}
				address, err := storage.Prefixed(b, "p/").PublicURL("a+b c")
				require.NoError(t, err)
				require.Equal(t, "https://cdn.example.com/files/p/a%2Bb%20c", address)
				_, err = b.PublicURL("../x")
				t.requireCode(err, storage.InvalidArgument)
			})
		},
	},
	{
		Name:        "a bucket that is not public has no public URL",
		Rule:        "S6",
		Explanation: "PublicURL returns NotPublic, without a request",
		run: func(t *T) {
			b := t.open()
			t.requireNoRequests(func() {
				_, err := b.PublicURL("a")
				t.requireCode(err, storage.NotPublic)
			})
		},
	},
}

// A tampering changes a signed URL so that the signature no longer fits. The URL is for the key
// "a", or for one of its parts.
type tampering struct {
	name   string
	change func(t *T, s *storage.SignedURL)
}

// tamperings are changes that every store must refuse. equivalentForms are changes that a store may
// accept. For example, MinIO ignores a repeated parameter, and hexadecimal digits may be in upper
// case. docs/signed-urls.md has a table of these changes.
var tamperings = []tampering{
	{"another method", func(_ *T, s *storage.SignedURL) {
		s.Method = otherMethod(s.Method)
	}},
	{"another key", func(t *T, s *storage.SignedURL) {
		address, query, _ := strings.Cut(s.URL, "?")
		require.False(t, strings.HasSuffix(address, "b"))
		s.URL = address[:len(address)-1] + "b?" + query
	}},
	{"no query", func(_ *T, s *storage.SignedURL) {
		s.URL, _, _ = strings.Cut(s.URL, "?")
	}},
	{"no signature", tamperQuery(func(pairs []string, signature int) []string {
		return slices.Delete(pairs, signature, signature+1)
	})},
	{"another signature", tamperSignature(func(value string) string { return strings.Repeat("0", len(value)) })},
	{"a truncated signature", tamperSignature(func(value string) string { return value[:len(value)-2] })},
}

var equivalentForms = []tampering{
	{"a signature in upper case", tamperSignature(strings.ToUpper)},
	{"a parameter twice", tamperQuery(func(pairs []string, _ int) []string { return append(pairs, pairs[0]) })},
}

// laterExpiries are changes that give an expired URL a later expiry.
var laterExpiries = []tampering{
	{"a later expiry", tamperExpiry(func(_, later string) []string { return []string{later} })},
	{
		"a later expiry before its own",
		tamperExpiry(func(signed, later string) []string { return []string{later, signed} }),
	},
	{
		"a later expiry after its own",
		tamperExpiry(func(signed, later string) []string { return []string{signed, later} }),
	},
}

// tamperExpiry returns a function that changes the expiry in a signed URL. change gets the query parameter with
// the signed expiry and one with a later expiry, and returns the parameters that take its place.
func tamperExpiry(change func(signed, later string) []string) func(t *T, s *storage.SignedURL) {
	return tamperQuery(func(pairs []string, _ int) []string {
		var altered []string
		for _, pair := range pairs {
			later, isExpiry := laterExpiry(pair)
			if isExpiry {
				altered = append(altered, change(pair, later)...)
			} else {
				altered = append(altered, pair)
			}
		}
		return altered
	})
}

// laterExpiry returns the query parameter pair with a later expiry. isExpiry is false if pair is another
// parameter. Azure has a date in the parameter "se", such as "se=2026-01-02". Other stores have a number in a
// parameter such as X-Amz-Expires.
func laterExpiry(pair string) (later string, isExpiry bool) {
	name, value, _ := strings.Cut(pair, "=")
	if strings.HasSuffix(strings.ToLower(name), "-expires") {
		return name + "=" + largerNumber(value), true
	}
	if name != "se" {
		return "", false
	}
	if date, isDate := strings.CutPrefix(value, "20"); isDate {
		nextCentury := "21" + date
		return "se=" + nextCentury, true
	}
	return "se=" + largerNumber(value), true
}

// largerNumber returns a larger number than digits: it has one digit more.
func largerNumber(digits string) string { return "9" + digits }

// otherMethod returns the method that an attacker would try in place of the signed one.
func otherMethod(method string) string {
	switch method {
	case http.MethodGet:
		return http.MethodPut
	case http.MethodPut:
		return http.MethodDelete
	default:
		return "" // sent as GET
	}
}

// tamperQuery returns a function that replaces the parameters in a URL's query with those that
// change returns. change receives the parameters and the index of the signature.
func tamperQuery(change func(pairs []string, signature int) []string) func(t *T, s *storage.SignedURL) {
	return func(t *T, s *storage.SignedURL) {
		s.URL = replaceQuery(t, s.URL, change)
	}
}

// replaceQuery returns the signed URL address with the parameters that change returns. change receives
// the parameters and the index of the signature.
func replaceQuery(t *T, address string, change func(pairs []string, signature int) []string) string {
	path, query, ok := strings.Cut(address, "?")
	require.True(t, ok)

	pairs := strings.Split(query, "&")
	altered := change(pairs, signatureIn(t, pairs))
	return path + "?" + strings.Join(altered, "&")
}

// tamperSignature returns a function that replaces the value of the signature in a URL's query with
// another value, which change returns.
func tamperSignature(change func(value string) string) func(t *T, s *storage.SignedURL) {
	return func(t *T, s *storage.SignedURL) {
		s.URL = replaceQuery(t, s.URL, func(pairs []string, signature int) []string {
			name, escaped, _ := strings.Cut(pairs[signature], "=")
			value, err := url.QueryUnescape(escaped)
			require.NoError(t, err)
			altered := change(value)
			require.NotEqual(t, value, altered)

			pairs[signature] = name + "=" + url.QueryEscape(altered)
			return pairs
		})
	}
}

// signatureIn returns the index of the signature in the parameters of a signed URL.
func signatureIn(t *T, pairs []string) int {
	// The names are X-Amz-Signature, X-Goog-Signature, sig and ob-signature.
	index := slices.IndexFunc(pairs, func(pair string) bool {
		name, _, _ := strings.Cut(strings.ToLower(pair), "=")
		return name == "sig" || strings.HasSuffix(name, "signature")
	})
	require.GreaterOrEqual(t, index, 0, "a signed URL must have a signature or sig parameter")
	return index
}
