package documented

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// ForeignKey is the key of an object and of an upload in each bucket. Another program has stored
// them. The key contains a control character, which S3 writes as an XML character reference. XML
// parsers refuse this reference. If the request asks for encoded keys, S3 encodes the character
// instead.
const ForeignKey = "\x01 of another+program"

// IsForeign reports whether a key in a listing is ForeignKey. It also accepts the form that
// VersitysListings gives to ForeignKey.
func IsForeign(key string) bool {
	return key == ForeignKey || key == strings.Replace(ForeignKey, "\x01", "\uFFFD", 1)
}

// ForeignObject adds an object of another program to the first page of each listing without a prefix, in
// the buckets for which inBucket returns true.
func ForeignObject(inBucket func(bucket string) bool) Behavior {
	matches := func(r *http.Request) bool {
		bucket, _ := AmazonKind(r)
		return inBucket(bucket) && isFirstPage(r.URL.Query())
	}
	return Behavior{
		Name:       "a key with a control character",
		Source:     "aws/aws-sdk-java#3112",
		middleware: rewriteResponses(matches, addForeignObject),
	}
}

// isFirstPage reports whether a query requests the first page of a listing of objects or versions
// without a prefix.
func isFirstPage(query url.Values) bool {
	if !query.Has("list-type") && !query.Has("versions") {
		return false
	}
	for _, name := range []string{"prefix", "continuation-token", "start-after", "key-marker"} {
		if query.Has(name) {
			return false
		}
	}
	return true
}

// addForeignObject adds the entry of the object ForeignKey to a page of a listing, before the first one.
func addForeignObject(page string) string {
	first := entryOfListing.FindStringIndex(page)
	if first == nil {
		// The response is an error.
		return page
	}

	key := "&#x1; of another+program" // ForeignKey in XML
	if strings.Contains(page, escapedKeys) {
		key = url.QueryEscape(ForeignKey)
	}
	format := "<Contents><Key>%s</Key>%s</Contents>"
	if strings.Contains(page, "</ListVersionsResult>") {
		format = "<Version><Key>%s</Key><VersionId>null</VersionId><IsLatest>true</IsLatest>%s</Version>"
	}
	const fields = `<LastModified>2026-01-01T00:00:00.000Z</LastModified>` +
		`<ETag>&quot;0cc175b9c0f1b6a831c399e269772661&quot;</ETag><Size>1</Size><StorageClass>STANDARD</StorageClass>`
	start := first[0] // the offset of the first entry
	return page[:start] + fmt.Sprintf(format, key, fields) + page[start:]
}

// CephsUploads imitates Ceph's listings of uploads. If the request asks for encoded keys, Ceph
// encodes the keys. But the response does not say that the keys are encoded. Ceph also does not
// encode the key marker of the next page. Each listing of the test suite has only one page, so the
// suite does not use the key marker. TestListUploadsControlCharacters tests the key marker.
var CephsUploads = Behavior{
	"escapes keys without saying so", "ceph/ceph#30993",
	rewriteResponses(func(r *http.Request) bool { return r.URL.Query().Has("uploads") && r.URL.Query().Has("encoding-type") },
		func(page string) string { return strings.Replace(page, escapedKeys, "", 1) }),
}

// VersitysListings is a server that ignores encoding-type in listings. Go's XML encoder, which
// writes its listings, replaces a control character by U+FFFD.
var VersitysListings = Behavior{
	"ignores encoding-type", "versity/versitygw#1985",
	rewriteResponses(func(r *http.Request) bool {
		query := r.URL.Query()
		return query.Has("list-type") || query.Has("versions") || query.Has("uploads")
	}, func(page string) string {
		if !strings.Contains(page, escapedKeys) {
			return strings.ReplaceAll(page, "&#x1;", "\uFFFD")
		}
		return keyOfListing.ReplaceAllStringFunc(
			strings.Replace(page, escapedKeys, "", 1),
			func(element string) string {
				parts := keyOfListing.FindStringSubmatch(element)
				key, _ := url.QueryUnescape(parts[2])
				var text bytes.Buffer
				_ = xml.EscapeText(&text, []byte(key))
				return fmt.Sprintf("<%s>%s</", parts[1], text.String())
			},
		)
	}),
}

const escapedKeys = "<EncodingType>url</EncodingType>"

var (
	entryOfListing = regexp.MustCompile(
		`<(Contents|Version|DeleteMarker|CommonPrefixes)>|</(ListBucketResult|ListVersionsResult)>`,
	)
	keyOfListing = regexp.MustCompile(`<(Key|Prefix|Delimiter|StartAfter|KeyMarker|NextKeyMarker)>([^<]*)</`)
)

// rewriteResponses returns a middleware for a Behavior. It passes the body of each response through rewrite if
// the request is a GET for which matches returns true.
func rewriteResponses(
	matches func(r *http.Request) bool, rewrite func(page string) string,
) func(next http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodGet || !matches(r) {
				next.ServeHTTP(w, r)
				return
			}
			resp := httptest.NewRecorder()
			next.ServeHTTP(resp, r)
			page := rewrite(resp.Body.String())
			resp.Header().Set("Content-Length", strconv.Itoa(len(page)))
			resp.Body = bytes.NewBufferString(page)
			relay(w, resp)
		})
	}
}
