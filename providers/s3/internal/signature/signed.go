package signature

import (
	"net/http"
	"strings"
)

// IsOfSession reports whether the request of a response was signed with temporary credentials.
func IsOfSession(response *http.Response) bool {
	return response.Request != nil && response.Request.Header.Get("X-Amz-Security-Token") != ""
}

// SignedRegion returns the region for which the request of a response was signed, or
// "" if it was not signed.
func SignedRegion(response *http.Response) string {
	if response.Request == nil {
		return ""
	}
	_, credential, _ := strings.Cut(response.Request.Header.Get("Authorization"), "Credential=")
	credential, _, _ = strings.Cut(credential, ",")
	scope := strings.Split(credential, "/") // elements: access key (one or more), date, region, service, "aws4_request"
	if len(scope) < 5 {
		return ""
	}
	return scope[len(scope)-3]
}
