package storage

import (
	"regexp"
	"strings"
)

// Addresses in errors of SDKs and of net/http carry signatures in their query.
var (
	addressQuery = regexp.MustCompile(`(?i)(https?://[^\s"'?]+\?)[^\s"'<>]+`)
	secretParam  = regexp.MustCompile(`(?i)\b(sig|signature|x-amz-signature|x-amz-credential|x-amz-security-token|x-goog-signature|x-goog-credential|secretkey|accountkey|sharedaccesssignature)=[^\s&"'<>;]+`)
)

func redact(text string) string {
	if !strings.ContainsRune(text, '=') {
		return text
	}
	text = addressQuery.ReplaceAllString(text, "${1}REDACTED")
	return secretParam.ReplaceAllString(text, "${1}=REDACTED")
}
