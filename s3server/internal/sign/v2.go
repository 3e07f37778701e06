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

// SubresourcesV2 are the query parameters that a signature of version 2 covers.
var SubresourcesV2 = []string{
	"accelerate", "acl", "analytics", "cors", "delete", "inventory", "legal-hold", "lifecycle", "location", "logging",
	"metrics", "notification", "object-lock", "partNumber", "policy", "replication", "requestPayment",
	"response-cache-control", "response-content-disposition", "response-content-encoding", "response-content-language",
	"response-content-type", "response-expires", "restore", "retention", "select", "select-type", "tagging", "torrent",
	"uploadId", "uploads", "versionId", "versioning", "versions", "website",
}

// StringToSignV2 returns the text that is signed. bucket is the bucket in the name of the host, or
// "". date is empty if x-amz-date is a header.
func StringToSignV2(r *http.Request, query url.Values, bucket, date, path string) string {
	var b strings.Builder
	lines := []string{r.Method, r.Header.Get("Content-Md5"), r.Header.Get("Content-Type"), date}
	for _, line := range append(lines, amzHeadersV2(r.Header, query)...) {
		b.WriteString(line + "\n")
	}
	if bucket != "" {
		b.WriteString("/" + bucket)
	}
	b.WriteString(path)
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

// notHeaders escapes characters that only the name of a parameter can have, so that it cannot look
// like headers.
var notHeaders = strings.NewReplacer(":", "%3A", "\n", "%0A")

// amzHeadersV2 returns the headers of AWS as "name:value", in order. A presigned URL has
// them as parameters, too. A client may send them as headers again.
func amzHeadersV2(header http.Header, query url.Values) []string {
	var lines []string
	for _, values := range []map[string][]string{header, query} {
		for name, all := range values {
			if name = strings.ToLower(name); strings.HasPrefix(name, "x-amz-") {
				trimmed := make([]string, len(all))
				for i, value := range all {
					trimmed[i] = strings.ReplaceAll(strings.TrimSpace(value), "\n", " ") // so that it is one line
				}
				if line := notHeaders.Replace(name) + ":" + strings.Join(trimmed, ","); !slices.Contains(lines, line) {
					lines = append(lines, line)
				}
			}
		}
	}
	slices.SortFunc(lines, func(a, b string) int {
		first, _, _ := strings.Cut(a, ":")
		second, _, _ := strings.Cut(b, ":")
		return strings.Compare(first, second)
	})
	return lines
}

// MACV2 signs a text.
func MACV2(secret, text string) string {
	h := hmac.New(sha1.New, []byte(secret))
	h.Write([]byte(text))
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}
