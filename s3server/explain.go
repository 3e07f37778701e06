package s3server

import (
	"net/url"
	"slices"
	"strings"

	"github.com/omnibucket/storage/s3server/internal/s3error"
)

// plainHeaders are the signed headers without secrets that a signature usually fails by.
var plainHeaders = []string{
	"content-encoding", "content-length", "content-md5", "content-type", "date", "host", "range",
	"x-amz-content-sha256", "x-amz-date", "x-amz-decoded-content-length",
}

// hidden replaces what may be secret.
const hidden = "(hidden)"

// explain returns the code and message of an error, with the element that says which check failed, and the
// canonical request of one about a signature. They have no secrets. e may be nil.
func explain(e *s3error.Error) (code, message, canonical string) {
	if e == nil {
		return "", "", ""
	}
	message = e.Message
	// S3 says which condition of a form's policy failed, with its value.
	if before, condition, found := strings.Cut(message, "Condition"); found && len(withoutSecrets(url.Values{condition: nil})) == 0 {
		message = before + "Condition " + hidden
	}
	for i := 0; i+1 < len(e.Fields); i += 2 {
		switch name, value := e.Fields[i], e.Fields[i+1]; name {
		case "CanonicalRequest":
			canonical = hideSecrets(value)
		case "AWSAccessKeyId", "ArgumentName", "Condition", "Expires", "HeadersNotSigned", "Region", "RequestTime", "ServerTime":
			message += " (" + name + ": " + value + ")"
		}
	}
	return e.Code, message, canonical
}

// hideSecrets replaces the values in a canonical request that may be secret: those of most headers, and of
// tokens in the query. It has a line each for method, path and query, and then for each header.
func hideSecrets(canonical string) string {
	lines := strings.Split(canonical, "\n")
	for i, line := range lines {
		name, _, isHeader := strings.Cut(line, ":")
		switch {
		case i == 2:
			parameters := strings.Split(line, "&")
			for j, p := range parameters {
				name, _, _ := strings.Cut(p, "=")
				plain, err := url.QueryUnescape(name)
				if err != nil || len(withoutSecrets(url.Values{plain: nil})) == 0 {
					parameters[j] = name + "=" + hidden
				}
			}
			lines[i] = strings.Join(parameters, "&")
		case i > 2 && isHeader && !slices.Contains(plainHeaders, name):
			lines[i] = name + ":" + hidden
		}
	}
	return strings.Join(lines, "\n")
}
