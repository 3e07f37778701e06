package storagetest

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// A tampering changes a signed URL for the key "a", or for a part of it, into one that was not signed.
type tampering struct {
	name   string
	change func(t *T, s *storage.SignedURL)
}

// tamperings are the changes that every store refuses. equivalentForms are changes that
// a store may accept: MinIO ignores a repeated parameter, and hexadecimal digits mean
// the same in upper case. docs/browser-uploads.md has the table.
var tamperings = []tampering{
	{"another method", func(_ *T, s *storage.SignedURL) {
		s.Method = map[string]string{http.MethodGet: http.MethodPut, http.MethodPut: http.MethodDelete}[s.Method]
	}},
	{"another key", func(t *T, s *storage.SignedURL) {
		address, query, _ := strings.Cut(s.URL, "?")
		require.False(t, strings.HasSuffix(address, "b"))
		s.URL = address[:len(address)-1] + "b?" + query
	}},
	{"no query", func(_ *T, s *storage.SignedURL) { s.URL, _, _ = strings.Cut(s.URL, "?") }},
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

// laterExpiries are changes to a signed URL that has expired.
var laterExpiries = []tampering{
	{"a later expiry", tamperQuery(func(pairs []string, _ int) []string { return withExpiry(pairs, true, false) })},
	{"a later expiry before its own", tamperQuery(func(pairs []string, _ int) []string { return withExpiry(pairs, true, true) })},
	{"a later expiry after its own", tamperQuery(func(pairs []string, _ int) []string { return withExpiry(pairs, false, true) })},
}

// withExpiry adds a later expiry before or after the signed one, or replaces the signed
// one. X-Amz-Expires, X-Goog-Expires and ob-expires are numbers; se is a date.
func withExpiry(pairs []string, before, twice bool) []string {
	var altered []string
	for _, pair := range pairs {
		name, value, _ := strings.Cut(pair, "=")
		if name != "se" && !strings.HasSuffix(strings.ToLower(name), "-expires") {
			altered = append(altered, pair)
			continue
		}
		later := name + "=9" + value
		if rest, date := strings.CutPrefix(value, "20"); date && name == "se" {
			later = name + "=21" + rest
		}
		switch {
		case !twice:
			altered = append(altered, later)
		case before:
			altered = append(altered, later, pair)
		default:
			altered = append(altered, pair, later)
		}
	}
	return altered
}

// tamperQuery changes the pairs of the query. change also gets the index of the
// signature.
func tamperQuery(change func(pairs []string, signature int) []string) func(t *T, s *storage.SignedURL) {
	return func(t *T, s *storage.SignedURL) {
		address, query, found := strings.Cut(s.URL, "?")
		require.True(t, found)
		pairs := strings.Split(query, "&")
		s.URL = address + "?" + strings.Join(change(pairs, signatureIn(t, pairs)), "&")
	}
}

func tamperSignature(change func(value string) string) func(t *T, s *storage.SignedURL) {
	return func(t *T, s *storage.SignedURL) {
		tamperQuery(func(pairs []string, signature int) []string {
			name, escaped, _ := strings.Cut(pairs[signature], "=")
			value, err := url.QueryUnescape(escaped)
			require.NoError(t, err)
			altered := change(value)
			require.NotEqual(t, value, altered)
			pairs[signature] = name + "=" + url.QueryEscape(altered)
			return pairs
		})(t, s)
	}
}

// signatureIn finds the signature by its name: X-Amz-Signature, X-Goog-Signature, sig,
// ob-signature.
func signatureIn(t *T, pairs []string) int {
	i := slices.IndexFunc(pairs, func(pair string) bool {
		name, _, _ := strings.Cut(strings.ToLower(pair), "=")
		return name == "sig" || strings.HasSuffix(name, "signature")
	})
	require.GreaterOrEqual(t, i, 0, "a signed URL must have a signature or sig parameter")
	return i
}
