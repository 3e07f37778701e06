package signature

import (
	"net/http"
	"strings"
)

// IsOfSession reports whether the request of a response was signed with temporary credentials.
func IsOfSession(response *http.Response) bool {
	return response.Request != nil && response.Request.Header.Get("X-Amz-Security-Token") != ""
}

// SignedRegion returns the region for which the request of a response was signed, or "" if it was
// not signed. The header is "AWS4-HMAC-SHA256 Credential=<key>/<date>/<region>/s3/aws4_request, …".
func SignedRegion(response *http.Response) string {
	if response.Request == nil {
		return ""
	}
	_, credential, _ := strings.Cut(response.Request.Header.Get("Authorization"), "Credential=")
	credential, _, _ = strings.Cut(credential, ",")

	const minElements = 5 // key, date, region, service and "aws4_request"
	elements := strings.Split(credential, "/")
	if len(elements) < minElements {
		return ""
	}
	// The region is counted from the end, because the key may have slashes, too.
	return elements[len(elements)-3]
}
