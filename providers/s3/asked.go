package s3

import (
	"net/http"
	"strings"
	"time"
)

// isSkewed reports whether an answer was given at another time than its request
// was signed at: no store takes a signature whose time is far from its own.
func isSkewed(answer *http.Response) bool {
	if answer.Request == nil || answer.Header.Get("Age") != "" {
		return false
	}
	signed, err := time.Parse(amzTime, answer.Request.Header.Get("X-Amz-Date"))
	if err != nil {
		return false
	}
	at, err := http.ParseTime(answer.Header.Get("Date"))
	return err == nil && at.Sub(signed).Abs() >= maxSkew
}

// signedRegion is the region that the request of an answer was signed for, or
// "" where it was not signed.
func signedRegion(answer *http.Response) string {
	if answer.Request == nil {
		return ""
	}
	_, credential, _ := strings.Cut(answer.Request.Header.Get("Authorization"), "Credential=")
	credential, _, _ = strings.Cut(credential, ",")
	scope := strings.Split(credential, "/") // the key, which may have slashes, day, region, service and an end
	if len(scope) < 5 {
		return ""
	}
	return scope[len(scope)-3]
}
