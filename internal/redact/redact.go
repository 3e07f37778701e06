// Package redact masks secrets in texts.
//
// Errors of SDKs and of net/http quote addresses, whose query may have a signature, and parameters
// such as an account key. A text without "=" has neither.
package redact

import (
	"regexp"
	"strings"
	"sync"
)

// patterns are compiled at their first use, which few programs make.
var patterns = sync.OnceValues(func() (address, parameter *regexp.Regexp) {
	return regexp.MustCompile(`(?i)(https?://[^\s"'?]+\?)[^\s"'<>]+`),
		regexp.MustCompile(
			`(?i)\b(sig|signature|x-amz-signature|x-amz-credential|x-amz-security-token|x-goog-signature|x-goog-credential|secretkey|accountkey|sharedaccesssignature)=[^\s&"'<>;]+`,
		)
})

// Secrets returns text with REDACTED in place of queries and secret parameters.
func Secrets(text string) string {
	if !strings.ContainsRune(text, '=') {
		return text
	}
	address, parameter := patterns()
	return parameter.ReplaceAllString(address.ReplaceAllString(text, "${1}REDACTED"), "${1}=REDACTED")
}
