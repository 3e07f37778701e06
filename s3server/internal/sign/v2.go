package sign

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// SubresourcesV2 has the query parameters that a signature of version 2 covers.
var SubresourcesV2 = []string{
	"accelerate", "acl", "analytics", "cors", "delete", "inventory", "legal-hold", "lifecycle", "location", "logging",
	"metrics", "notification", "object-lock", "partNumber", "policy", "replication", "requestPayment",
	"response-cache-control", "response-content-disposition", "response-content-encoding", "response-content-language",
	"response-content-type", "response-expires", "restore", "retention", "select", "select-type", "tagging", "torrent",
	"uploadId", "uploads", "versionId", "versioning", "versions", "website",
}

// StringToSignV2 returns the text that a signature of version 2 signs. bucket is that in the host name, or
// "". date must be "" if the request has the header x-amz-date.
func StringToSignV2(r *http.Request, query url.Values, bucket, date, path string) string {
	var b strings.Builder
	lines := []string{r.Method, r.Header.Get("Content-Md5"), r.Header.Get("Content-Type"), date}
	for _, line := range append(lines, amzHeadersV2(r.Header, query)...) {
		b.WriteString(line + "\n")
	}

	// The path follows the bucket, even if the bucket is part of the host name.
	if bucket != "" {
		b.WriteString("/" + bucket)
	}
	b.WriteString(path)

	// Only these parameters are signed.
	separator := "?"
	for _, name := range SubresourcesV2 {
		if !query.Has(name) {
			continue
		}
		b.WriteString(separator + name)
		separator = "&"
		if value := query.Get(name); value != "" {
			b.WriteString("=" + value)
		}
	}
	return b.String()
}

// notHeaders escapes colons and line feeds in the name of a query parameter. Otherwise one name
// could look like several header lines.
var notHeaders = strings.NewReplacer(":", "%3A", "\n", "%0A")

// amzHeadersV2 returns the x-amz-* headers, which a presigned URL has as query parameters, as sorted lines
// "name:value". A line that is in both places counts once.
func amzHeadersV2(header http.Header, query url.Values) []string {
	var lines []string
	for _, source := range []map[string][]string{header, query} {
		for name, values := range source {
			name = strings.ToLower(name)
			if !strings.HasPrefix(name, "x-amz-") {
				continue
			}
			line := amzLineV2(name, values)
			if !slices.Contains(lines, line) {
				lines = append(lines, line)
			}
		}
	}

	// Sort by name. In the order of whole lines, the colon after a name would come after the hyphen of a longer name.
	slices.SortFunc(lines, func(a, b string) int {
		nameA, _, _ := strings.Cut(a, ":")
		nameB, _, _ := strings.Cut(b, ":")
		return strings.Compare(nameA, nameB)
	})
	return lines
}

// amzLineV2 returns the line of a header, with a space in place of each line feed in a value.
func amzLineV2(name string, values []string) string {
	trimmed := make([]string, len(values))
	for i, value := range values {
		trimmed[i] = strings.ReplaceAll(strings.TrimSpace(value), "\n", " ")
	}
	return notHeaders.Replace(name) + ":" + strings.Join(trimmed, ",")
}

// MACV2 returns the signature of version 2 of a text: its HMAC-SHA1 in base64.
func MACV2(secret, text string) string {
	h := hmac.New(sha1.New, []byte(secret))
	h.Write([]byte(text))
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}
