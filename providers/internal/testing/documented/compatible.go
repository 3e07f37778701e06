package documented

import "net/http"

const r2Errors = "https://developers.cloudflare.com/r2/api/error-codes/"

// R2 has the transient answers of Cloudflare R2. AmazonKind returns the kinds of its requests.
var R2 = []Answer{
	r2Error("InternalError", http.StatusInternalServerError, "We encountered an internal error. Please try again."),
	r2Refusal("ServiceUnavailable", http.StatusServiceUnavailable, "Service is temporarily unavailable."),
	r2Refusal(
		"TooManyRequests", http.StatusTooManyRequests, "Reduce your concurrent request rate for the same object.",
		"PutObject", "CopyObject", "DeleteObject",
	),
	r2Refusal(
		"ClientDisconnect", http.StatusBadRequest, "The client disconnected before the request completed.", "PutObject",
		"UploadPart",
	),
	r2Refusal(
		"IncompleteBody", http.StatusBadRequest,
		"You did not provide the number of bytes specified by the Content-Length HTTP header.", "PutObject",
		"UploadPart",
	),
}

// r2Error returns an error answer of Cloudflare R2 to requests of these kinds. Its body has the form of
// an S3 error.
func r2Error(code string, status int, message string, kinds ...string) Answer {
	return Answer{
		Kinds:  kinds,
		Status: status,
		Header: map[string]string{"Content-Type": "application/xml", "Server": "cloudflare"},
		Body:   amazonBody(code, message),
		Name:   code,
		Source: r2Errors,
	}
}

func r2Refusal(code string, status int, message string, kinds ...string) Answer {
	a := r2Error(code, status, message, kinds...)
	a.NoEffect = true
	return a
}

// Spaces has the transient answers of DigitalOcean Spaces. These are error responses to requests
// that succeed when they are repeated. A throttled request gets a response without a request id.
// For the kinds of requests, see AmazonKind.
var Spaces = []Answer{
	{
		Status:   http.StatusServiceUnavailable,
		Header:   map[string]string{"Content-Type": "application/xml"},
		Body:     amazonBody("SlowDown", "Please reduce your request rate."),
		NoEffect: true,
		Name:     "SlowDown",
		Source:   "rclone/rclone#3456",
	},
	{
		Kinds:    []string{"HEAD object", "HEAD bucket"},
		Status:   http.StatusServiceUnavailable,
		NoEffect: true,
		Name:     "503 without anything",
		Source:   "SociallyDev/Spaces-API#59",
	},
}
