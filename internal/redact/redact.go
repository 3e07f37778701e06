// Package redact masks secrets in texts.
//
// Errors of SDKs and of net/http may quote the query of a URL, which may contain a signature. They
// may also quote parameters such as an account key. A text without "=" contains neither.
package redact

import (
	"regexp"
	"strings"
	"sync"
)

// patterns compiles the regular expressions on first use, because few programs need them.
var patterns = sync.OnceValues(func() (address, parameter *regexp.Regexp) {
	return regexp.MustCompile(`(?i)(https?://[^\s"'?]+\?)[^\s"'<>]+`),
		regexp.MustCompile(
			`(?i)\b(sig|signature|x-amz-signature|x-amz-credential|x-amz-security-token|x-goog-signature|x-goog-credential|secretkey|accountkey|sharedaccesssignature)=[^\s&"'<>;]+`,
		)
})

// Secrets returns text with REDACTED in place of each URL's query and of each secret parameter.
func Secrets(text string) string {
	if !strings.ContainsRune(text, '=') {
		return text
	}

	address, parameter := patterns()
	text = address.ReplaceAllString(text, "${1}REDACTED")
	return parameter.ReplaceAllString(text, "${1}=REDACTED")
}
